#include "emit/layout/builder.h"

namespace portwright::emit::printing {

using namespace syntax;

Node* Builder::lambda(const Lambda& e) {
  Nodes out{take()};
  if (!at(TK::Colon)) {
    out.push_back(parameters(*e.args, Kind::LambdaParameters, TK::Colon));
  }
  out.push_back(take());
  out.push_back(expr(*e.body));
  return tree_->node(Kind::Lambda, out);
}

Node* Builder::parameters(const Arguments& args, Kind kind, TK close) {
  Nodes out;
  std::vector<const Arg*> named;
  std::vector<const Expr*> defaults;
  const size_t positional = args.posonlyargs.size() + args.args.size();
  for (const auto& group : {args.posonlyargs, args.args}) {
    for (Arg* arg : group) {
      const size_t left = positional - named.size();
      named.push_back(arg);
      defaults.push_back(
          left <= args.defaults.size()
              ? args.defaults[args.defaults.size() - left]
              : nullptr);
    }
  }
  for (size_t i = 0; i < args.kwonlyargs.size(); ++i) {
    named.push_back(args.kwonlyargs[i]);
    defaults.push_back(args.kw_defaults[i]);
  }
  size_t next = 0;
  while (!at(close)) {
    if (at(TK::Star) || at(TK::DoubleStar)) {
      const Arg* arg = at(TK::Star) ? args.vararg : args.kwarg;
      const bool single = at(TK::Star);
      out.push_back(take());
      if (arg) {
        parameter(*arg, single, out);
      }
    } else if (at(TK::Slash)) {
      out.push_back(take());
    } else {
      parameter(*named[next], false, out);
      if (at(TK::Equal)) {
        out.push_back(take());
        out.push_back(expr(*defaults[next]));
      }
      ++next;
    }
    accept(TK::Comma, out);
  }
  return tree_->node(kind, out);
}

void Builder::parameter(const Arg& arg, bool starred, Nodes& out) {
  Nodes parts{take()};
  if (arg.annotation) {
    parts.push_back(take());
    parts.push_back(expr(*arg.annotation));
  }
  out.push_back(
      tree_->node(starred ? Kind::TypedStarName : Kind::TypedName, parts));
}

}  // namespace portwright::emit::printing
