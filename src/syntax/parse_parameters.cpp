#include <fmt/format.h>

#include "syntax/parser_impl.h"

namespace portwright::syntax {

// NAME (':' expression)?
Arg* Parser::parameter(bool annotated, bool star_annotation) {
  const uint32_t start = begin();
  if (at(TK::LeftParen)) {
    fail_here(
        annotated ? "function parameters cannot be parenthesized"
                  : "lambda expression parameters cannot be parenthesized");
  }
  const Symbol name = expect_name("a parameter name");
  Expr* annotation = nullptr;
  if (annotated && accept(TK::Colon)) {
    annotation = star_annotation ? star_expression() : expression();
  }
  return arena_->make<Arg>(name, annotation, span(start));
}

// Parameters up to `close`, which is not consumed: positional-only '/'
// positional, '*' or '*args', keyword-only, '**kwargs'.
Arguments* Parser::parameters(TK close, bool annotated) {
  Children<Arg*> args(args_);
  Children<Expr*> defaults(exprs_);
  Children<Expr*> kw_defaults(other_exprs_);
  Arguments out{};
  constexpr size_t kNone = static_cast<size_t>(-1);
  size_t positional_only = 0;
  size_t keyword_from = kNone;  // args before it are positional
  bool slash = false;
  const auto default_value = [&]() -> Expr* {
    if (!accept(TK::Equal)) {
      return nullptr;
    }
    if (at(TK::Comma) || at(close)) {
      fail(span(at_[-1]), "expected default value expression");
    }
    return expression();
  };
  const auto refuse_default = [&](std::string_view what) {
    if (at(TK::Equal)) {
      fail_here(fmt::format("{} argument cannot have default value", what));
    }
  };
  while (!at(close)) {
    if (out.kwarg != nullptr) {
      fail_here("arguments cannot follow var-keyword argument");
    }
    if (at(TK::Slash)) {
      if (slash) {
        fail_here("/ may appear only once");
      }
      if (keyword_from != kNone) {
        fail_here("/ must be ahead of *");
      }
      if (args.size() == 0) {
        fail_here("at least one argument must precede /");
      }
      slash = true;
      positional_only = args.size();
      next();
    } else if (at(TK::Star)) {
      if (keyword_from != kNone) {
        fail_here("* argument may appear only once");
      }
      const Token& star = next();
      keyword_from = args.size();
      if (at(TK::Comma)) {
        if (kind(1) == close || kind(1) == TK::DoubleStar) {
          fail(span(star), "named arguments must follow bare *");
        }
      } else if (at(close)) {
        fail(span(star), "named arguments must follow bare *");
      } else {
        out.vararg = parameter(annotated, true);
        refuse_default("var-positional");
      }
    } else if (accept(TK::DoubleStar)) {
      out.kwarg = parameter(annotated);
      refuse_default("var-keyword");
    } else {
      Arg* arg = parameter(annotated);
      args.push(arg);
      Expr* value = default_value();
      if (keyword_from != kNone) {
        kw_defaults.push(value);
      } else if (value != nullptr) {
        defaults.push(value);
      } else if (defaults.size() > 0) {
        fail(
            arg->span,
            "parameter without a default follows parameter with a default");
      }
    }
    if (!accept(TK::Comma)) {
      break;
    }
  }
  const Seq<Arg*> all = args.take(*arena_);
  const size_t positional = keyword_from == kNone ? all.size() : keyword_from;
  out.posonlyargs = all.subspan(0, positional_only);
  out.args = all.subspan(positional_only, positional - positional_only);
  out.kwonlyargs = all.subspan(positional);
  out.defaults = defaults.take(*arena_);
  out.kw_defaults = kw_defaults.take(*arena_);
  return arena_->make<Arguments>(out);
}

// '[' type_parameter (',' type_parameter)* ','? ']'
Seq<TypeParam> Parser::type_parameters() {
  if (!at(TK::LeftBracket)) {
    return {};
  }
  const Token& open = next();
  if (at(TK::RightBracket)) {
    fail_here("type parameter list cannot be empty");
  }
  Children<TypeParam> params(type_params_);
  do {
    params.push(type_parameter());
  } while (accept(TK::Comma) && !at(TK::RightBracket));
  expect_close(TK::RightBracket, open);
  return params.take(*arena_);
}

// NAME (':' expression)? default? | '*' NAME default? | '**' NAME default?
TypeParam Parser::type_parameter() {
  const uint32_t start = begin();
  const TypeParamKind what = accept(TK::Star) ? TypeParamKind::TypeVarTuple
                             : accept(TK::DoubleStar) ? TypeParamKind::ParamSpec
                                                      : TypeParamKind::TypeVar;
  const Symbol name = expect_name("a type parameter name");
  Expr* bound = nullptr;
  if (at(TK::Colon)) {
    if (what != TypeParamKind::TypeVar) {
      fail_here(
          what == TypeParamKind::ParamSpec
              ? "cannot use bound with ParamSpec"
              : "cannot use bound with TypeVarTuple");
    }
    next();
    bound = expression();
  }
  Expr* value = nullptr;
  if (accept(TK::Equal)) {
    value =
        what == TypeParamKind::TypeVarTuple ? star_expression() : expression();
  }
  return {what, name, bound, value, span(start)};
}

}  // namespace portwright::syntax
