#include <fmt/format.h>

#include "syntax/literals.h"
#include "syntax/parser_impl.h"

namespace portwright::syntax {

namespace {

std::string_view keep(base::Arena& arena, std::string_view text) {
  if (text.empty()) {
    return {};
  }
  auto* out = static_cast<char*>(arena.allocate(text.size(), 1));
  std::copy(text.begin(), text.end(), out);
  return {out, text.size()};
}

}  // namespace

Expr* Parser::constant(ConstantKind kind) {
  const Token& token = next();
  return make<Constant>(
      ExprKind::Constant,
      token.begin,
      kind,
      false,
      int64_t{0},
      0.0,
      std::string_view());
}

Expr* Parser::number() {
  const Token& token = next();
  NumberValue value;
  if (!read_number(text(token), value)) {
    fail(
        span(token),
        fmt::format(
            "integer literal has more than {} decimal digits",
            kMaxIntegerDigits));
  }
  return make<Constant>(
      ExprKind::Constant,
      token.begin,
      value.kind,
      false,
      value.integer,
      value.real,
      keep(*arena_, value.digits));
}

// (STRING | fstring)+
Expr* Parser::strings() {
  const Token& first = *at_;
  if (at(TK::String) && kind(1) != TK::String && kind(1) != TK::FStringStart &&
      !(first.flags & (kEscapes | kBytes))) {
    next();
    const size_t quotes = first.flags & kTriple ? 3 : 1;
    const std::string_view value = text(first).substr(
        first.payload, first.end - first.begin - first.payload - quotes);
    return make<Constant>(
        ExprKind::Constant,
        first.begin,
        ConstantKind::Str,
        (first.flags & kUnicodePrefix) != 0,
        int64_t{0},
        0.0,
        value);
  }
  const bool bytes = first.kind == TK::String && (first.flags & kBytes);
  const bool is_template =
      first.kind == TK::FStringStart && (first.flags & kTemplate);
  Children<Expr*> pieces(exprs_);
  bool formatted = false;
  while (at(TK::String) || at(TK::FStringStart)) {
    const bool same_bytes =
        (at(TK::String) && (at_->flags & kBytes) != 0) == bytes;
    if (!same_bytes) {
      fail(
          {source_.get(), first.begin, at_->end},
          "cannot mix bytes and nonbytes literals");
    }
    if ((at(TK::FStringStart) && (at_->flags & kTemplate) != 0) !=
        is_template) {
      fail(
          {source_.get(), first.begin, at_->end},
          "cannot mix t-string literals with string or bytes literals");
    }
    if (at(TK::FStringStart)) {
      formatted = true;
      fstring(pieces, is_template);
    } else {
      pieces.push(string_piece());
    }
  }
  const bool unicode = (first.flags & kUnicodePrefix) != 0;
  if (!formatted) {
    return concatenated(first.begin, pieces, unicode);
  }
  return joined(
      first.begin,
      is_template ? ExprKind::TemplateStr : ExprKind::JoinedStr,
      pieces,
      unicode);
}

// Adjacent plain strings as one constant.
Expr* Parser::concatenated(
    uint32_t begin,
    Children<Expr*>& pieces,
    bool unicode) {
  auto* constant = static_cast<Constant*>(pieces[0]);
  if (pieces.size() > 1) {
    std::string value;
    for (size_t i = 0; i < pieces.size(); ++i) {
      value += as<Constant>(*pieces[i]).text;
    }
    constant->text = keep(*arena_, value);
  }
  constant->span = span(begin);
  constant->u_prefix = unicode;
  return constant;
}

// One STRING token.
Expr* Parser::string_piece() {
  const Token& token = next();
  const size_t quotes = token.flags & kTriple ? 3 : 1;
  const auto from = token.begin + token.payload;
  return text_constant(token, from, static_cast<uint32_t>(token.end - quotes));
}

// The value of string contents that stand at [from, to) of the source.
Constant*
Parser::text_constant(const Token& token, uint32_t from, uint32_t to) {
  const bool bytes = token.flags & kBytes;
  std::string_view contents = source_->text().substr(from, to - from);
  if (bytes) {
    for (size_t i = 0; i < contents.size(); ++i) {
      if (static_cast<unsigned char>(contents[i]) >= 128) {
        fail(span(token), "bytes can only contain ASCII literal characters");
      }
    }
  }
  if ((token.flags & kEscapes) && !(token.flags & kRaw)) {
    std::string value;
    EscapeFault fault;
    if (!decode_escapes(contents, bytes, value, fault)) {
      const auto at = static_cast<uint32_t>(from + fault.begin);
      const auto end = static_cast<uint32_t>(from + fault.end);
      fail({source_.get(), at, std::max(end, at + 1)}, fault.message);
    }
    contents = keep(*arena_, value);
  }
  return make<Constant>(
      ExprKind::Constant,
      token.begin,
      bytes ? ConstantKind::Bytes : ConstantKind::Str,
      false,
      int64_t{0},
      0.0,
      contents);
}

// A JoinedStr or TemplateStr: runs of text become one constant, empty ones go.
Expr* Parser::joined(
    uint32_t begin,
    ExprKind kind,
    Children<Expr*>& pieces,
    bool unicode) {
  Children<Expr*> merged(other_exprs_);
  for (size_t i = 0; i < pieces.size();) {
    if (pieces[i]->kind != ExprKind::Constant) {
      merged.push(pieces[i++]);
      continue;
    }
    auto* constant = static_cast<Constant*>(pieces[i]);
    size_t end = i + 1;
    while (end < pieces.size() && pieces[end]->kind == ExprKind::Constant) {
      ++end;
    }
    if (end - i > 1) {
      std::string value;
      for (size_t j = i; j < end; ++j) {
        value += as<Constant>(*pieces[j]).text;
      }
      constant->text = keep(*arena_, value);
      constant->span.end = pieces[end - 1]->span.end;
    }
    constant->u_prefix = unicode;
    if (!constant->text.empty()) {
      merged.push(constant);
    }
    i = end;
  }
  return make<JoinedStr>(kind, begin, merged.take(*arena_));
}

}  // namespace portwright::syntax
