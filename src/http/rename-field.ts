/**
 * A path of one of our fields by a vendor's names of those: `properties.color` is `metadata.color` with
 * `{ properties: "metadata" }`. An empty name stands for what is in the field: `identities["email"]` is `email`.
 */
export function renameField(path: string, names: Readonly<Record<string, string>>): string {
  const [, head = path, rest = ""] = /^(\w+)(.*)$/s.exec(path) ?? [];
  const name = Object.hasOwn(names, head) ? (names[head] ?? head) : head;
  return name === "" ? rest.replace(/^\["?|"?\]$|^\./g, "") : `${name}${rest}`;
}
