#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/source.h"
#include "diagnostics/diagnostic.h"

namespace portwright::syntax {

/// Decodes a Python source file as stored: byte order mark, PEP 263 coding
/// line, `\r\n` and `\r` as line ends. The text of the result is UTF-8 with
/// `\n` only. A file that cannot be decoded becomes an empty text and a
/// diagnostic.
std::shared_ptr<const base::SourceFile> decode_source(
    std::string path,
    std::string bytes,
    std::vector<diagnostics::Diagnostic>& diagnostics);

}  // namespace portwright::syntax
