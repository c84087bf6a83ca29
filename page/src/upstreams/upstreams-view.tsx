export function UpstreamsView() {
  return <h1>Upstreams</h1>;
}
