// What eslint holds the scripts to.

import js from "@eslint/js";
import globals from "globals";

export default [
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
