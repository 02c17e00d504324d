"""What a user can get wrong, as one exception with a one-line message.

Everything raised on purpose for bad input (data, checkpoints, shapes, missing GPU) is an `InputError`. Its text says
what was found and what to do. The command line prints that line and exits with status 2; a library user sees an
ordinary ValueError.
"""


class InputError(ValueError):
    """Input that nanogan can't use. The message is one line: what is wrong, what was expected, what to do."""


class ShapeError(InputError):
    """An array or a chain of layers whose shapes don't fit. The message names the layer, expected and got."""


class ArrayError(InputError, TypeError):
    """Something that is no array, or one of another dtype or backend. The message says how to make the right one."""
