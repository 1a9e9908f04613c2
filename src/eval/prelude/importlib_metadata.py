class PackageNotFoundError(ModuleNotFoundError):
    pass


def version(name):
    raise PackageNotFoundError(name)


def packages_distributions():
    return {}
