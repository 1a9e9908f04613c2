"""The library's table of weight conversions, its rules made when they are asked for.

The table holds a thousand rules, each of which compiles patterns when it is made; a
model has a few of them, and gets copies.
"""

from copy import deepcopy


class _Rule:
    """Its copy is the rule. The table may read it, but not change it."""

    def __init__(self, make, args, kwargs):
        self.__dict__["_made_by"] = (make, args, kwargs)

    def __deepcopy__(self, memo):
        make, args, kwargs = self._made_by
        return make(*deepcopy(args, memo), **deepcopy(kwargs, memo))

    def __getattr__(self, name):
        return getattr(deepcopy(self), name)

    def __setattr__(self, name, value):
        raise AttributeError(name)


def _postponed(make):
    return lambda *args, **kwargs: _Rule(make, args, kwargs)


def fill_table():
    """Before the library does it, where it keeps such a table."""
    try:
        from transformers import conversion_mapping as table
    except ImportError:
        return
    cache = "_checkpoint_conversion_mapping_cache"
    build = getattr(table, "_build_checkpoint_conversion_mapping", None)
    if build is None or getattr(table, cache, False) is not None:
        return
    rules = ("WeightRenaming", "WeightConverter")
    makers = {name: getattr(table, name) for name in rules if hasattr(table, name)}
    for name, make in makers.items():
        setattr(table, name, _postponed(make))
    try:
        mapping = build()
    except (AttributeError, TypeError):
        mapping = None  # it looks into its rules: the library does it after all
    finally:
        for name, make in makers.items():
            setattr(table, name, make)
    setattr(table, cache, mapping)
