"""One file for each kind of trap an audit policy can hold. A trap is a function of a Look that yields remarks.

Here belongs what a policy author can get wrong while the server stays silent. To add one: a function with `@in_text` (reads
the file) or `@in_verdicts` (asks the policy), and in the tests a policy on which it fires and one on which it stays quiet.
"""
