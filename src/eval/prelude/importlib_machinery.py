from _portwright import refuse as _refuse


class ModuleSpec:
    def __init__(self, *args, **kwargs):
        _refuse("loading a module by its file is not evaluated")


class SourceFileLoader(ModuleSpec):
    pass
