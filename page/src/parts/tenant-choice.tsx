/** One tenant, all of them, or clients that are nobody's, as the API has it: `-`. An editor sees its own alone. */
import { caller, resources } from "../api/service.ts";

export interface TenantChoiceProps {
  readonly value: string;
  readonly onChoose: (tenant: string) => void;
}

export function TenantChoice({ value, onChoose }: TenantChoiceProps) {
  if (caller.value?.role === "editor") return null;
  const tenants = (resources.value?.resources ?? []).filter(({ kind }) => kind === "Tenant");
  return (
    <select aria-label="Tenant" value={value} onChange={(event) => onChoose(event.currentTarget.value)}>
      <option value="">all tenants</option>
      {tenants.map(({ name }) => (
        <option key={name}>{name}</option>
      ))}
      <option value="-">(no tenant)</option>
    </select>
  );
}
