from collections.abc import _Abstract


class Number(_Abstract):
    _registered = (int, float)


class Complex(Number):
    _registered = (int, float)


class Real(Complex):
    _registered = (int, float)


class Rational(Real):
    _registered = (int,)


class Integral(Rational):
    _registered = (int,)
