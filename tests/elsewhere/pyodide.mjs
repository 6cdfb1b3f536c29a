// Runs the package in Pyodide: node pyodide.mjs FOLDER_WITH_PYODIDE ROOT_OF_THE_REPOSITORY PROGRAM
import fs from "node:fs";
import path from "node:path";
import { pathToFileURL } from "node:url";

const [folder, root, program] = process.argv.slice(2);
const { loadPyodide } = await import(pathToFileURL(path.join(folder, "pyodide.mjs")).href);
const python = await loadPyodide({ indexURL: folder + path.sep });

function put(from, to) {
  python.FS.mkdirTree(to);
  for (const entry of fs.readdirSync(from, { withFileTypes: true })) {
    const [inside, there] = [path.join(from, entry.name), `${to}/${entry.name}`];
    if (entry.isDirectory() && entry.name !== "__pycache__") put(inside, there);
    else if (entry.isFile() && !entry.name.endsWith(".so")) python.FS.writeFile(there, fs.readFileSync(inside));
  }
}

put(path.join(root, "autograd_lite"), "/here/autograd_lite");
python.runPython("import sys; sys.path.insert(0, '/here'); sys.argv = ['steps']");
python.runPython(fs.readFileSync(program, "utf8"), { globals: python.toPy({ __name__: "__main__" }) });
