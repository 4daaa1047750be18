// Canvas drawings: a decision boundary, and a chart of lines.
const COLORS = ["#c2410c", "#1d4ed8"];

export function decision(canvas, p, resolution, points) {
  const image = new ImageData(resolution, resolution);
  for (let cell = 0; cell < p.length; cell += 1) {
    // From orange (class 0) over white to blue (class 1).
    const t = 2 * p[cell] - 1;
    const far = t < 0 ? [251, 146, 60] : [96, 165, 250];
    for (let c = 0; c < 3; c += 1) image.data[4 * cell + c] = 255 + Math.abs(t) * (far[c] - 255);
    image.data[4 * cell + 3] = 255;
  }
  const small = new OffscreenCanvas(resolution, resolution);
  small.getContext("2d").putImageData(image, 0, 0);
  const pen = canvas.getContext("2d");
  pen.imageSmoothingEnabled = true;
  pen.drawImage(small, 0, 0, canvas.width, canvas.height);
  for (const { x, y, side } of points) {
    pen.fillStyle = side === 0 ? "#9a3412" : "#1e3a8a";
    pen.beginPath();
    pen.arc((x / 1.2 + 1) * canvas.width / 2, (1 - y / 1.2) * canvas.height / 2, 3, 0, 2 * Math.PI);
    pen.fill();
  }
}

const label = (value) => (Math.abs(value) >= 1e4 || (value !== 0 && Math.abs(value) < 1e-3)
  ? value.toExponential(0) : String(Number(value.toPrecision(3))));

/// Lines: `{ x, y, side, isDashed }`; missing values are null. `isLog` applies to the vertical axis.
export function chart(canvas, lines, isLog = false) {
  const pen = canvas.getContext("2d");
  const [left, right, top, bottom] = [56, 8, 8, 22];
  pen.clearRect(0, 0, canvas.width, canvas.height);
  const scale = (y) => (isLog ? Math.log10(Math.max(y, 1e-12)) : y);
  const known = lines.flatMap(({ x, y }) => x.map((_, i) => [x[i], y[i]])).filter(([, y]) => y !== null);
  if (known.length === 0) return;
  const range = (values) => {
    const low = Math.min(...values);
    const high = Math.max(...values);
    return high > low ? [low, high] : [low - 1, high + 1];
  };
  const [x0, x1] = range(known.map(([x]) => x));
  const [y0, y1] = range(known.map(([, y]) => scale(y)));
  const at = (x, y) => [
    left + (x - x0) / (x1 - x0) * (canvas.width - left - right),
    canvas.height - bottom - (scale(y) - y0) / (y1 - y0) * (canvas.height - top - bottom),
  ];
  pen.font = "11px system-ui, sans-serif";
  pen.fillStyle = "#57534e";
  pen.strokeStyle = "#e7e5e4";
  for (let tick = 0; tick <= 4; tick += 1) {
    const value = y0 + (y1 - y0) * tick / 4;
    const height = canvas.height - bottom - (canvas.height - top - bottom) * tick / 4;
    pen.setLineDash([]);
    pen.beginPath();
    pen.moveTo(left, height);
    pen.lineTo(canvas.width - right, height);
    pen.stroke();
    pen.textAlign = "right";
    pen.fillText(label(isLog ? 10 ** value : value), left - 4, height + 4);
  }
  pen.textAlign = "left";
  pen.fillText(label(x0), left, canvas.height - 6);
  pen.textAlign = "right";
  pen.fillText(label(x1), canvas.width - right, canvas.height - 6);
  for (const { x, y, side, isDashed } of lines) {
    pen.strokeStyle = COLORS[side];
    pen.lineWidth = 1.5;
    pen.setLineDash(isDashed ? [4, 4] : []);
    pen.beginPath();
    let isOpen = false;
    for (let i = 0; i < x.length; i += 1) {
      if (y[i] === null) {
        isOpen = false;
      } else {
        pen[isOpen ? "lineTo" : "moveTo"](...at(x[i], y[i]));
        isOpen = true;
      }
    }
    pen.stroke();
  }
}
