import { type MeasuredRow, type Row, reachOf, toAimText, toFigureText } from "./row.ts";

const width = 1100;
const textWidth = 560;
const lineHeight = 30;
const top = 50;
/** How far the plot goes, in times the aim. */
const reachMax = 2;
const reachWidth = (width - textWidth - 20) / reachMax;

/** The results as a bar plot in SVG: how much of its aim each line has reached. Lines without a figure are left out. */
export function toPlot(title: string, rows: readonly Row[]): string {
  const measured = rows.flatMap((row) => ("skipped" in row ? [] : [row]));
  const height = top + measured.length * lineHeight + 30;
  const aimX = textWidth + reachWidth;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" font-family="sans-serif" font-size="12">
<title>${escapeText(title)}</title>
<rect width="${width}" height="${height}" fill="#fff"/>
<text x="10" y="20" font-size="15">${escapeText(title)}</text>
<text x="${aimX}" y="40" text-anchor="middle" fill="#444">the aim</text>
${measured.map(toBar).join("\n")}
<line x1="${aimX}" y1="${top - 5}" x2="${aimX}" y2="${height - 25}" stroke="#444" stroke-dasharray="4 3"/>
<text x="10" y="${height - 8}" fill="#444">right of the line: reached; bars end at ${reachMax} times the aim</text>
</svg>
`;
}

function toBar(row: MeasuredRow, line: number): string {
  const reach = reachOf(row);
  const y = top + line * lineHeight;
  const bar = Math.round(Math.min(reachMax, Math.max(0, Number.isNaN(reach) ? 0 : reach)) * reachWidth);
  const label = `${toFigureText(row.figure, row.aim)} (${toAimText(row.aim)})`;
  return `<text x="10" y="${y + 10}">${escapeText(row.work)}</text>
<text x="10" y="${y + 22}" font-size="10" fill="#666">to ${escapeText(row.against)}</text>
<rect x="${textWidth}" y="${y}" width="${bar}" height="20" fill="${reach >= 1 ? "#4a8c5c" : "#c0504d"}"/>
<text x="${textWidth + 6}" y="${y + 14}" fill="#000" stroke="#fff" stroke-width="3" paint-order="stroke">${escapeText(label)}</text>`;
}

function escapeText(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}
