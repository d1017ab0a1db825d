"""What is checked: how it is called (`adapter`), and bound to arguments as one flat vector (`problem`).

`valid` says which places count, `importing` finds objects by name, `restoring` puts back what a call changes, `reached`
finds the variables that a graph reads, `dtypes` casts arguments.
"""
