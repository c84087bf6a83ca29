/**
 * What this program calls itself, where others ask who speaks.
 */
export const PRODUCT = "envoy-dns-policy";

/** As in package.json. */
export const VERSION = "0.1.0";
