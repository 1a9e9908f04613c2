#include "syntax/unicode.h"

#include <gtest/gtest.h>

namespace portwright::syntax {
namespace {

TEST(Unicode, NamesAreNormalised) {
  EXPECT_EQ(normalize_name("ﬁ"), "fi");
  EXPECT_EQ(normalize_name("ſ"), "s");
  EXPECT_EQ(normalize_name("e\u0301"), "é");
  EXPECT_EQ(normalize_name("\u1100\u1161\u11A8"), "각");
  EXPECT_EQ(normalize_name("한글"), "한글");
  EXPECT_EQ(normalize_name("a\u0323\u0307"), normalize_name("a\u0307\u0323"));
  EXPECT_EQ(normalize_name("𝔘𝔫𝔦𝔠𝔬𝔡𝔢"), "Unicode");
}

TEST(Unicode, ClassesOfCharacters) {
  EXPECT_TRUE(is_identifier_start('_'));
  EXPECT_TRUE(is_identifier_start(0xE9));
  EXPECT_FALSE(is_identifier_start('1'));
  EXPECT_FALSE(is_identifier_start(0x0301));
  EXPECT_TRUE(is_identifier_part(0x0301));
  EXPECT_FALSE(is_identifier_part(0x20AC));
  EXPECT_TRUE(is_printable(' '));
  EXPECT_FALSE(is_printable(0xA0));
  EXPECT_FALSE(is_printable(0xD800));
  EXPECT_FALSE(is_printable(0xFEFF));
}

TEST(Unicode, CharactersAreFoundByName) {
  EXPECT_EQ(lookup_unicode_name("BULLET"), 0x2022U);
  EXPECT_EQ(lookup_unicode_name("bullet"), 0x2022U);
  EXPECT_EQ(lookup_unicode_name("LINE FEED"), 0x0AU);
  EXPECT_EQ(lookup_unicode_name("BOM"), 0xFEFFU);
  EXPECT_EQ(lookup_unicode_name("CJK UNIFIED IDEOGRAPH-4E00"), 0x4E00U);
  EXPECT_EQ(lookup_unicode_name("HANGUL SYLLABLE GAG"), 0xAC01U);
  EXPECT_EQ(lookup_unicode_name("HANGUL SYLLABLE A"), 0xC544U);
  EXPECT_EQ(lookup_unicode_name("CJK UNIFIED IDEOGRAPH-0041"), std::nullopt);
  EXPECT_EQ(lookup_unicode_name("NO SUCH NAME"), std::nullopt);
  EXPECT_EQ(lookup_unicode_name(""), std::nullopt);
}

TEST(Unicode, Utf8RoundTrips) {
  for (const uint32_t c : {0x24U, 0xA2U, 0x20ACU, 0xD800U, 0x10348U}) {
    std::string text;
    append_utf8(text, c);
    size_t at = 0;
    EXPECT_EQ(next_code_point(text, at), c);
    EXPECT_EQ(at, text.size());
  }
}

}  // namespace
}  // namespace portwright::syntax
