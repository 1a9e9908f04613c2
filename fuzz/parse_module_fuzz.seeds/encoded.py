# coding: latin-1
x = "ü"
	if a:  b = \
 1_0.5e-3j + 0xFFFFFFFFFFFFFFFFFF
