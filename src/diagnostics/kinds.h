#pragma once

#include <string_view>

namespace portwright::diagnostics {

/// Every kind of diagnostic, with the name users see and scripts match on.
#define PW_DIAGNOSTIC_KINDS(X)                     \
  X(SyntaxError, "syntax-error")                   \
  X(SourceEncoding, "source-encoding")             \
  X(UnsupportedSyntax, "unsupported-syntax")       \
  X(UnsupportedImport, "unsupported-import")       \
  X(UnsupportedFunction, "unsupported-function")   \
  X(UnsupportedArgument, "unsupported-argument")   \
  X(UnsupportedAttribute, "unsupported-attribute") \
  X(UnsupportedOperation, "unsupported-operation") \
  X(UnsupportedDecorator, "unsupported-decorator") \
  X(UnsupportedStructure, "unsupported-structure") \
  X(PythonError, "python-error")                   \
  X(LimitExceeded, "limit-exceeded")               \
  X(ConfigError, "config-error")                   \
  X(CheckpointError, "checkpoint-error")           \
  X(NotEquivalent, "not-equivalent")

enum class Kind {
#define X(name, text) name,
  PW_DIAGNOSTIC_KINDS(X)
#undef X
};

std::string_view name(Kind kind);

}  // namespace portwright::diagnostics
