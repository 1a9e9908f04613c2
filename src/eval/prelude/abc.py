class ABCMeta(type):
    pass


class ABC(metaclass=ABCMeta):
    pass


def abstractmethod(function):
    return function


abstractproperty = property
abstractclassmethod = classmethod
abstractstaticmethod = staticmethod
