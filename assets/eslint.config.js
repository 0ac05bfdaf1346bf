// What eslint holds the scripts to. The list of scripts that are no modules yet is in .prettierignore.

import { readFileSync } from "node:fs";
import js from "@eslint/js";
import globals from "globals";

const passedBy = readFileSync(new URL(".prettierignore", import.meta.url), "utf8")
  .split("\n")
  .filter((line) => line.startsWith("/"))
  .map((line) => line.slice(1));

export default [
  { ignores: passedBy },
  js.configs.recommended,
  {
    languageOptions: { globals: globals.browser },
    rules: {
      eqeqeq: "error",
      "max-lines": ["error", 300],
      "max-lines-per-function": ["error", 50],
      "no-var": "error",
      "prefer-const": "error",
    },
  },
  { files: ["frame.js"], languageOptions: { sourceType: "script" } },
  {
    files: ["**/*.test.js"],
    languageOptions: { globals: globals.node },
    rules: { "max-lines-per-function": "off" },
  },
];
