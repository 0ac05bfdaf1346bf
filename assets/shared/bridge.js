// TO BE REMOVED when no script lies flat in assets/ any more: hands what is shared to the scripts that are no
// modules yet.

import { drag, drawing, make, save } from "./dom.js";
import { MaskEditor } from "./mask_editor.js";
import { plotly } from "./plotly.js";
import { caller, latest, Sentence, sentence } from "./server.js";
import { note, voice } from "./voice.js";
import { counted, polygon } from "./words.js";

window.exddParts = {
  make,
  drawing,
  polygon,
  Sentence,
  sentence,
  caller,
  note,
  counted,
  save,
  plotly,
  latest,
  voice,
  drag,
};

window.ExddMaskEditor = MaskEditor;
