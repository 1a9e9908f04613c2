#include "report/figures.h"
#include "report/markdown.h"

namespace portwright::report {
namespace {

std::string influence(const verify::Figures& figures) {
  std::string out;
  for (const auto& map : figures.influence) {
    const size_t both = map.count('#');
    const size_t port = map.count('p');
    const size_t torch = map.count('t');
    out += fmt::format(
        "- {}: {}; {} pairs of a token and a position on both sides",
        name_of(map),
        agreement_of(map),
        both);
    if (port + torch) {
      out +=
          fmt::format(", {} only in the port, {} only in torch", port, torch);
    }
    out += "\n";
  }
  return out.empty() ? ""
                     : "\n## Influence\n\nPositions that move when a token is "
                       "exchanged for another.\n\n" +
                           out;
}

std::string agreeing_tokens(const verify::RoutingAgreement& router) {
  return fmt::format(
      "{} of {}{}",
      router.tokens - router.differing - router.ties,
      router.tokens,
      router.ties ? fmt::format(", {} tied", router.ties) : "");
}

std::string routing_table(
    const verify::Figures& figures,
    const std::string& title) {
  std::string out;
  for (const auto& router : figures.routing) {
    out += fmt::format(
        "| {} | {} | {} |\n",
        router.layer < 0 ? "" : std::to_string(router.layer),
        cell(router.module),
        agreeing_tokens(router));
  }
  return out.empty() ? ""
                     : "\n## " + title +
                           "\n\n| layer | module | tokens agree |\n"
                           "| --- | --- | --- |\n" +
                           out;
}

std::string routing(const verify::Figures& figures) {
  return routing_table(figures, "Routing");
}

std::string low_routing(const verify::Figures& figures) {
  return routing_table(figures, "Routing in bfloat16");
}

std::string dtypes(const verify::Figures& figures) {
  std::string out;
  size_t plain = 0;
  for (const auto& flow : figures.dtypes) {
    if (flow.is_plain()) {
      ++plain;
      continue;
    }
    out += fmt::format(
        "| {} | {} | {} | {}{} | {} |\n",
        cell(name_of(flow)),
        layers_text(flow.layers),
        flow.takes,
        flow.gives,
        flow.leak ? " (leaks)" : "",
        flow.torch_gives);
  }
  if (out.empty()) {
    return "";
  }
  return "\n## Dtypes\n\n| module | | takes | gives | torch gives |\n"
         "| --- | --- | --- | --- | --- |\n" +
         out + (plain ? "\n" + plain_text(plain) + "\n" : "");
}

}  // namespace

std::string figures_markdown(const verify::Results& results) {
  std::string out;
  for (const auto& [check, write] :
       {std::pair{"mask", &influence},
        std::pair{"routing", &routing},
        std::pair{"bfloat16", &low_routing},
        std::pair{"dtype", &dtypes}}) {
    if (const auto* figures = figures_of(results, check)) {
      out += write(*figures);
    }
  }
  return out;
}

}  // namespace portwright::report
