"""What is shown of each thing as plain data: the same for `--output json`, the HTTP API and the console, so they cannot differ.

One file a noun. A payload is a TypedDict, from which the OpenAPI document takes its schema, and a pure function that makes it of
what is stored. Keys are words with underscores; times are aware UTC; what does not apply is null, never left out.
Not here: reading the store, deciding, words for people. To add one: a file named after the noun, `XPayload` and `x_payload`.
"""
