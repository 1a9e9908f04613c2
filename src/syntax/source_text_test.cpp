#include "syntax/source_text.h"

#include <gtest/gtest.h>

namespace portwright::syntax {
namespace {

using namespace std::string_literals;

struct Decoded {
  explicit Decoded(std::string bytes)
      : source(decode_source("t.py", std::move(bytes), diagnostics)) {}
  std::string message() const {
    return diagnostics.empty() ? "" : diagnostics[0].message;
  }
  std::vector<diagnostics::Diagnostic> diagnostics;
  std::shared_ptr<const base::SourceFile> source;
};

TEST(SourceText, LineEndsBecomeNewlines) {
  EXPECT_EQ(Decoded("a\r\nb\rc\n\r\n").source->text(), "a\nb\nc\n\n");
}

TEST(SourceText, TheByteOrderMarkIsDropped) {
  const Decoded decoded("\xEF\xBB\xBFx = 'ü'");
  EXPECT_EQ(decoded.source->text(), "x = 'ü'");
  EXPECT_EQ(decoded.message(), "");
}

TEST(SourceText, TheCodingLineIsHonoured) {
  EXPECT_EQ(
      Decoded("# -*- coding: latin-1 -*-\n'\xFC'").source->text(),
      "# -*- coding: latin-1 -*-\n'ü'");
  EXPECT_EQ(
      Decoded("#!/x\n# vim: set fileencoding=koi8_r :\n'\xC1'").source->text(),
      "#!/x\n# vim: set fileencoding=koi8_r :\n'а'");
  EXPECT_EQ(
      Decoded("# coding: CP1252\n'\x80'").source->text(),
      "# coding: CP1252\n'€'");
}

TEST(SourceText, ACodingLineStandsInTheFirstTwoLinesBeforeCode) {
  EXPECT_EQ(Decoded("\n\n# coding: klingon\n").message(), "");
  EXPECT_EQ(Decoded("x = 1\n# coding: klingon\n").message(), "");
  EXPECT_EQ(
      Decoded("\n# coding: klingon\n").message(),
      "unsupported source encoding 'klingon'");
}

TEST(SourceText, WhatCannotBeDecodedIsReported) {
  EXPECT_EQ(Decoded("x = '\xFC'").message(), "byte 0xfc is not valid UTF-8");
  EXPECT_EQ(
      Decoded("# coding: ascii\n'\xC3\xBC'").message(),
      "byte 0xc3 means nothing in the encoding 'ascii'");
  EXPECT_EQ(
      Decoded("\xEF\xBB\xBF# coding: latin-1\n").message(),
      "encoding 'latin-1' contradicts the byte order mark");
  EXPECT_EQ(
      Decoded("a\0b"s).message(), "source code cannot contain null bytes");
}

TEST(SourceText, SurrogatesAndOverlongFormsAreNoUtf8) {
  EXPECT_NE(Decoded("'\xED\xA0\x80'").message(), "");
  EXPECT_NE(Decoded("'\xC0\xAF'").message(), "");
  EXPECT_NE(Decoded("'\xF4\x90\x80\x80'").message(), "");
  EXPECT_NE(Decoded("'\xE2\x82").message(), "");
}

}  // namespace
}  // namespace portwright::syntax
