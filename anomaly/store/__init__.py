"""The only SQL. One file a kind of thing that is kept; tables in `store/tables`, one file each.

Nothing above this room writes a statement, nothing here knows a rule, a feature or a person.
"""
