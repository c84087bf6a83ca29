/** A question as the API takes it. */
import type { ExplainRequest } from "../../../extproc/explain/request.ts";

type Texts = "client" | "name" | "type" | "principal" | "serverName" | "path" | "tenant" | "at";

export type Question = { readonly [K in Texts]?: string } & {
  readonly client: string;
  readonly name: string;
  readonly transport: NonNullable<ExplainRequest["transport"]>;
  /** YAML that is taken for applied. */
  readonly resources?: string;
  readonly prune?: boolean;
};
