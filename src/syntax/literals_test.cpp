#include "syntax/literals.h"

#include <gtest/gtest.h>

#include <cmath>

#include "syntax/python_repr.h"

namespace portwright::syntax {
namespace {

NumberValue number(std::string_view text) {
  NumberValue out;
  EXPECT_TRUE(read_number(text, out)) << text;
  return out;
}

TEST(Literals, IntegersBeyondSixtyFourBitsKeepTheirDigits) {
  EXPECT_EQ(number("9223372036854775807").kind, ConstantKind::Int);
  EXPECT_EQ(number("9223372036854775807").integer, INT64_MAX);
  EXPECT_EQ(number("9_223_372_036_854_775_808").digits, "9223372036854775808");
  EXPECT_EQ(number("0xFFFFFFFFFFFFFFFF").digits, "18446744073709551615");
  EXPECT_EQ(
      number("0x1_0000_0000_0000_0000_0000_0000_0000_0000").digits,
      "340282366920938463463374607431768211456");
  EXPECT_EQ(number("0o7_7").integer, 63);
  EXPECT_EQ(number("000").integer, 0);
}

TEST(Literals, IntegersHaveALimit) {
  NumberValue out;
  EXPECT_TRUE(read_number(std::string(4300, '9'), out));
  EXPECT_FALSE(read_number(std::string(4301, '9'), out));
  EXPECT_TRUE(read_number("0x" + std::string(3500, 'F'), out));
  EXPECT_FALSE(read_number("0x" + std::string(100000, 'F'), out));
}

TEST(Literals, Floats) {
  EXPECT_EQ(number("1e-5").real, 1e-5);
  EXPECT_EQ(number("1_0.5").real, 10.5);
  EXPECT_TRUE(std::isinf(number("1e999").real));
  EXPECT_EQ(number("1e-999").real, 0.0);
  EXPECT_EQ(number("010.5").real, 10.5);
  EXPECT_EQ(number("2J").kind, ConstantKind::Complex);
}

std::string repr(double value) {
  std::string out;
  append_float_repr(out, value);
  return out;
}

TEST(Literals, FloatsPrintAsPythonPrintsThem) {
  EXPECT_EQ(repr(1.0), "1.0");
  EXPECT_EQ(repr(1e15), "1000000000000000.0");
  EXPECT_EQ(repr(1e16), "1e+16");
  EXPECT_EQ(repr(1e-4), "0.0001");
  EXPECT_EQ(repr(1e-5), "1e-05");
  EXPECT_EQ(repr(1.5e300), "1.5e+300");
  EXPECT_EQ(repr(0.1), "0.1");
  EXPECT_EQ(repr(5e-324), "5e-324");
  EXPECT_EQ(repr(HUGE_VAL), "inf");
}

std::string decoded(std::string_view text, bool bytes = false) {
  std::string out;
  EscapeFault fault;
  EXPECT_TRUE(decode_escapes(text, bytes, out, fault)) << fault.message;
  return out;
}

TEST(Literals, Escapes) {
  EXPECT_EQ(decoded("a\\n\\x41\\101\\u00e9\\N{BULLET}"), "a\nAAé•");
  EXPECT_EQ(decoded("\\q\\"), "\\q\\");
  EXPECT_EQ(decoded("a\\\nb"), "ab");
  EXPECT_EQ(decoded("\\ud83d"), "\xED\xA0\xBD");
  EXPECT_EQ(decoded("\\400"), "Ā");
  EXPECT_EQ(
      decoded("\\400\\xff\\u0041", true), std::string("\0\xff\\u0041", 8));
}

TEST(Literals, MalformedEscapesSayWhere) {
  std::string out;
  EscapeFault fault;
  EXPECT_FALSE(decode_escapes("ab\\x4z", false, out, fault));
  EXPECT_EQ(fault.begin, 2U);
  EXPECT_EQ(fault.end, 5U);
  EXPECT_EQ(fault.message, "truncated \\xXX escape");
}

}  // namespace
}  // namespace portwright::syntax
