// What classic scripts and Gradio put on the window.
interface Window {
  Plotly: any;
  /** TO BE REMOVED with shared/bridge.js. */
  exddParts: object;
  /** TO BE REMOVED with shared/bridge.js. */
  ExddMaskEditor: unknown;
}
