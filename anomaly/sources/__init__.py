"""One file a source of audit events: how its bodies are unwrapped into plain events.
"""
