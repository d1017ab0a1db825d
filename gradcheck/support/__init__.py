"""What any part may need and what knows no gradient.

- `files`: files that are written whole or not at all.
- `signals`: SIGTERM as Ctrl-C.
- `build`: which gradcheck this is.
- `generated_pages`: pages that are generated and committed.
- `naming`, `number_text`: names of subjects, and numbers as text.
- `lazy`: names that are imported when they are first used.
- `layout`: how nested tensors lie in one flat vector.
"""
