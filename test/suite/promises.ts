/**
 * Finds promises that nobody waits for, with TypeScript's own types. biome's noFloatingPromises knows the project's own
 * functions only, and most promises of this project come from Bun and Node.
 *
 * Reported are a statement whose value is a promise, an `expect(…).resolves` or `.rejects` without `await` (whose
 * declared type hides the promise), and an async function given where a function that returns nothing is expected: in
 * each a rejection ends the process or is lost. `void` in front says that it is meant.
 */
import { join, relative } from "node:path";
import { type Expression, type Node, type SourceFile, SyntaxKind } from "typescript/unstable/ast";
import {
  isArrowFunction,
  isBinaryExpression,
  isCallExpression,
  isExpressionStatement,
  isFunctionExpression,
  isPropertyAccessExpression,
} from "typescript/unstable/ast/is";
import { API, type Checker, SignatureKind, type Type, TypeFlags } from "typescript/unstable/async";

const root = join(import.meta.dir, "../..");

async function problemsOf(file: SourceFile, checker: Checker): Promise<string[]> {
  const problems: string[] = [];
  const visit = async (node: Node): Promise<void> => {
    const problem = await problemOf(node, checker);
    if (problem !== undefined) {
      const { line, character } = file.getLineAndCharacterOfPosition(node.getStart(file));
      problems.push(`${relative(root, file.fileName)}:${line + 1}:${character + 1} ${problem}`);
    }
    const children: Node[] = [];
    node.forEachChild((child) => void children.push(child));
    for (const child of children) await visit(child);
  };
  await visit(file);
  return problems;
}

async function problemOf(node: Node, checker: Checker): Promise<string | undefined> {
  if (isExpressionStatement(node)) {
    return (await isFloating(node.expression, checker)) ? "nobody waits for this promise" : undefined;
  }
  if (!isArrowFunction(node) && !isFunctionExpression(node)) return undefined;
  return (await isAsyncForNothing(node, checker))
    ? "an async function where one that returns nothing is expected"
    : undefined;
}

async function isFloating(expression: Expression, checker: Checker): Promise<boolean> {
  if (isBinaryExpression(expression) && expression.operatorToken.kind === SyntaxKind.EqualsToken)
    return false;
  if (isHandled(expression)) return false;
  return isAsyncExpectation(expression) || isPromise(await checker.getTypeAtLocation(expression), checker);
}

/** `….catch(f)`, `….then(f, g)`, and `….finally(f)` after one of them. */
function isHandled(node: Node): boolean {
  if (!isCallExpression(node) || !isPropertyAccessExpression(node.expression)) return false;
  const { name, expression } = node.expression;
  if (name.text === "finally") return isHandled(expression);
  return (
    (name.text === "catch" && node.arguments.length >= 1) ||
    (name.text === "then" && node.arguments.length >= 2)
  );
}

function isAsyncExpectation(node: Node): boolean {
  if (isCallExpression(node)) return isAsyncExpectation(node.expression);
  if (!isPropertyAccessExpression(node)) return false;
  return node.name.text === "resolves" || node.name.text === "rejects" || isAsyncExpectation(node.expression);
}

/** Whether the value may be a promise, or anything else with a `then` method. */
async function isPromise(type: Type | undefined, checker: Checker): Promise<boolean> {
  if (type === undefined) return false;
  if (type.isUnionType()) {
    for (const member of await type.getTypes()) if (await isPromise(member, checker)) return true;
    return false;
  }
  const then = await checker.getPropertyOfType(type, "then");
  const thenType = then && (await checker.getTypeOfSymbol(then));
  return (
    thenType !== undefined && (await checker.getSignaturesOfType(thenType, SignatureKind.Call)).length > 0
  );
}

async function isAsyncForNothing(node: Expression, checker: Checker): Promise<boolean> {
  const context = await checker.getContextualType(node);
  const expected = await returnTypes(context && (await checker.getNonNullableType(context)), checker);
  if (expected.length === 0 || !expected.every((type) => (type.flags & TypeFlags.Void) !== 0)) return false;
  for (const type of await returnTypes(await checker.getTypeAtLocation(node), checker)) {
    if (await isPromise(type, checker)) return true;
  }
  return false;
}

/** What the function returns, for each of its overloads; empty where the type is no function. */
async function returnTypes(type: Type | undefined, checker: Checker): Promise<Type[]> {
  const found: Type[] = [];
  const signatures = type === undefined ? [] : await checker.getSignaturesOfType(type, SignatureKind.Call);
  for (const signature of signatures) {
    const returned = await checker.getReturnTypeOfSignature(signature);
    if (returned !== undefined) found.push(returned);
  }
  return found;
}

/** The second and third know the DOM. */
const PROJECTS = ["tsconfig.json", "src/console/tsconfig.json", "test/browser/tsconfig.json"];

const api = new API({ cwd: root });
try {
  const problems: string[] = [];
  let checked = 0;
  for (const name of PROJECTS) {
    const snapshot = await api.updateSnapshot({ openProjects: [join(root, name)] });
    const project = snapshot.getProjects().find(({ configFileName }) => configFileName.endsWith(name));
    if (project === undefined) throw new Error(`${name} describes no project`);
    for (const path of project.rootFiles) {
      const file = await project.program.getSourceFile(path);
      if (file !== undefined) problems.push(...(await problemsOf(file, project.checker)));
    }
    checked += project.rootFiles.length;
  }
  for (const problem of problems) console.error(problem);
  console.log(`Checked ${checked} files: ${problems.length} promises that nobody waits for.`);
  process.exitCode = problems.length > 0 || checked === 0 ? 1 : 0;
} finally {
  await api.close();
}
