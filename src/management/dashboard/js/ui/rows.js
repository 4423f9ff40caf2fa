// A table of rows; where the screen is narrow, each row is a card and each cell says what it is.
import { html } from "../core/view.js";

/**
 * Columns: {id, label, title, sort, show, num, at, always, mono}. `at: "wide"` leaves one out on small
 * screens, `always` makes it the head of its card, `full` gives it a line of its own there. `order` is {by, down, turn} where rows can be sorted,
 * `picks` {picked, choose} where they can be chosen.
 */
export function Rows({ columns, rows, rowKey, label, bare, order, picks }) {
  const all = picks && rows.every((row) => picks.picked.has(rowKey(row)));
  return html`<div class="scroll ${bare ? "bare" : ""}" tabindex="0" role="region" aria-label=${label}><table class="rows ${order ? "sorts" : ""} ${picks ? "picks" : ""}">
    <thead><tr>
      ${picks && html`<th class="pick"><input type="checkbox" aria-label="Choose all on this page" checked=${all} onChange=${(event) => picks.choose(rows, event.target.checked)} /></th>`}
      ${columns.map((column) => html`<${Title} key=${column.id} column=${column} order=${order} />`)}
    </tr></thead>
    <tbody>${rows.map((row) => html`<tr key=${rowKey(row)}>
      ${picks && html`<td class="pick"><input type="checkbox" aria-label="Choose ${row.name}" checked=${picks.picked.has(rowKey(row))} onChange=${(event) => picks.choose([row], event.target.checked)} /></td>`}
      ${columns.map((column) => html`<td key=${column.id} class="${cellClass(column)} ${column.mono ? "mono" : ""}" data-label=${column.label || undefined}>${column.show ? column.show(row) : row[column.id]}</td>`)}
    </tr>`)}</tbody>
  </table></div>`;
}

function Title({ column, order }) {
  const { id, label, title, sort } = column;
  const sorted = order?.by === id;
  const inner = order && sort ? html`<button onClick=${() => order.turn(column)}>${label}${sorted && html`<i aria-hidden="true">${order.down ? "↓" : "↑"}</i>`}</button>` : label;
  return html`<th class=${cellClass(column)} title=${title} aria-sort=${sorted ? (order.down ? "descending" : "ascending") : undefined}>${inner}</th>`;
}

const cellClass = ({ num, at, always, full }) => [num && "right", at, always && "main", full && "full"].filter(Boolean).join(" ");
