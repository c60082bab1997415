// The program's IDL, cut down to what a decoder of instructions needs, as a TypeScript module.

/** The name of a field's type: a number, "pubkey", "text", or `bytes:N`; reserved bytes as `zero:N`. */
function typeName(field) {
  const type = field.type;
  if (typeof type === "string") return type;
  if (type.vec === "u8") return "text";
  if (Array.isArray(type.array) && type.array[0] === "u8") {
    return `${field.name === "reserved" ? "zero" : "bytes"}:${type.array[1]}`;
  }
  throw new Error(`${field.name}: a type that the decoder does not know`);
}

function fieldsOf(idl, instruction) {
  return instruction.args.flatMap((argument) => {
    const found = idl.types.find((one) => one.name === argument.type.defined.name);
    return found.type.fields.map((field) => [field.name, typeName(field)]);
  });
}

/** Gives the text of `src/signing/idl.ts`. */
export function idlModule(idl) {
  const lines = idl.instructions.map((instruction) => {
    const hex = Buffer.from(instruction.discriminator).toString("hex");
    const accounts = instruction.accounts.map((one) => one.name + (one.optional ? "?" : ""));
    const row = { name: instruction.name, does: instruction.docs[0], accounts, args: fieldsOf(idl, instruction) };
    return `  "${hex}": ${JSON.stringify(row)},`;
  });
  return [
    "// Made by build.mjs from client/flair_client/chain/flair.json; not to be changed by hand.",
    "",
    "/** An instruction of the program: its accounts in order (optional ones with `?`), its arguments in byte order. */",
    "export interface InstructionLayout {",
    "  name: string;",
    "  /** One sentence, as the program documents it. */",
    "  does: string;",
    "  accounts: string[];",
    "  args: string[][];",
    "}",
    "",
    `export const PROGRAM = "${idl.address}";`,
    "",
    "/** By discriminator, in hex. */",
    "export const INSTRUCTIONS: Readonly<Record<string, InstructionLayout>> = {",
    ...lines,
    "};",
    "",
  ].join("\n");
}
