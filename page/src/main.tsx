/**
 * The page: what the mesh asks of its DNS, and what policy makes of it.
 */
import "@fontsource-variable/atkinson-hyperlegible-next/wght.css";
import "@fontsource-variable/atkinson-hyperlegible-mono/wght.css";
import "./style/base.css";
import "./style/shell.css";
import "./style/parts.css";
import { render } from "preact";
import { App } from "./shell/app.tsx";

render(<App />, document.body);
