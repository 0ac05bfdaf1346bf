// What classic scripts put on the window.
interface Window {
  Plotly: any;
}
