import type { DescFile } from "@bufbuild/protobuf";
import { create } from "@bufbuild/protobuf";
import type { FileDescriptorSet } from "@bufbuild/protobuf/wkt";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";

/** These files and all that they import, each once and after what it imports. */
export function collectFiles(files: readonly DescFile[]): DescFile[] {
  const found = new Set<DescFile>();
  const visit = (file: DescFile) => {
    if (found.has(file)) return;
    for (const dependency of file.dependencies) visit(dependency);
    found.add(file);
  };
  for (const file of files) visit(file);
  return [...found];
}

/** These files and all that they import, as descriptors, for those who know nothing of the generated code. */
export function toFileDescriptorSet(files: readonly DescFile[]): FileDescriptorSet {
  return create(FileDescriptorSetSchema, { file: collectFiles(files).map((file) => file.proto) });
}
