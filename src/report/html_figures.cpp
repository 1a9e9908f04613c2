#include <cmath>

#include "report/figures.h"
#include "report/html_parts.h"

namespace portwright::report {
namespace {

/// Cells of one kind as a path: upright runs, a column for each token.
std::string cells(const verify::InfluenceMap& map, char kind) {
  std::string out;
  for (size_t x = 0; x < map.rows.size(); ++x) {
    const auto& row = map.rows[x];
    for (size_t y = 0; y < row.size();) {
      if (row[y] != kind) {
        ++y;
        continue;
      }
      const size_t end = std::min(row.find_first_not_of(kind, y), row.size());
      out += fmt::format("M{} {}h1v{}h-1z", x, y, end - y);
      y = end;
    }
  }
  return out;
}

std::string influence_map(const verify::InfluenceMap& map) {
  if (map.rows.empty() || map.rows.front().empty()) {
    return "";
  }
  const size_t height = map.rows.front().size();
  const size_t width = map.rows.size();
  const bool alike = map.count('p') + map.count('t') == 0;
  std::string paths;
  for (const auto& [kind, style, what] :
       {std::tuple{'#', "both", ""},
        std::tuple{'p', "only-port", "only the port's positions depend"},
        std::tuple{'t', "only-torch", "only torch's positions depend"}}) {
    const auto path = cells(map, kind);
    if (!path.empty()) {
      paths += fmt::format(
          "<path class=\"{}\" d=\"{}\"><title>{}</title></path>",
          style,
          path,
          *what ? what : "both sides' positions depend");
    }
  }
  return fmt::format(
      "<figure class=\"card\"><figcaption>{}<span class=\"{}\">{}</span>"
      "</figcaption><svg class=\"map\" viewBox=\"0 0 {} {}\" role=\"img\" "
      "preserveAspectRatio=\"none\" shape-rendering=\"crispEdges\" "
      "aria-label=\"{} tokens against {} positions from {}\">{}</svg>"
      "<p class=\"axes\"><span>tokens {} → {}</span>"
      "<span>positions {} ↓ {}</span></p></figure>",
      escape(name_of(map)),
      alike ? "" : "fail",
      agreement_of(map),
      width,
      height,
      width,
      height,
      map.first,
      paths,
      map.tokens.front(),
      map.tokens.back(),
      map.first,
      map.first + static_cast<int>(height) - 1);
}

std::string agreement_row(const verify::RoutingAgreement& router) {
  const auto agreeing = router.tokens - router.differing - router.ties;
  const double share = 100.0 * static_cast<double>(agreeing) /
                       static_cast<double>(std::max<int64_t>(router.tokens, 1));
  return fmt::format(
      "<tr><td class=\"number\">{}</td><td class=\"mono\">{}</td>"
      "<td class=\"meter\"><u><i style=\"width:{:.1f}%\"></i></u>"
      "</td>"
      "<td class=\"number{}\">{} of {}{}</td></tr>",
      router.layer < 0 ? "" : std::to_string(router.layer),
      escape(router.module),
      share,
      router.differing ? " fail" : "",
      agreeing,
      router.tokens,
      router.ties ? fmt::format(", {} tied", router.ties) : "");
}

std::string routing_table(
    const verify::Figures& figures,
    const std::string& title,
    const std::string& about) {
  std::string rows;
  for (const auto& router : figures.routing) {
    rows += agreement_row(router);
  }
  return "<h2>" + title + "</h2><p class=\"about\">" + about +
         "</p><div class=\"card\"><table><thead><tr><th>layer</th><th>module"
         "</th><th></th><th>tokens agree</th></tr></thead><tbody>" +
         rows + "</tbody></table></div>";
}

std::string dtype_mark(const std::string& dtype, bool leak) {
  return dtype.empty() ? "<span class=\"place\">–</span>"
                       : fmt::format(
                             "<span class=\"dtype {}{}\">{}</span>",
                             escape(dtype),
                             leak ? " leak" : "",
                             escape(dtype));
}

std::string flow_row(const verify::DtypeFlow& flow) {
  return fmt::format(
      "<tr><td class=\"mono\">{}</td><td>{}</td><td>{}</td><td>{}</td>"
      "<td>{}</td><td class=\"fail\">{}</td></tr>",
      escape(name_of(flow)),
      escape(layers_text(flow.layers)),
      dtype_mark(flow.takes, false),
      dtype_mark(flow.gives, flow.leak),
      dtype_mark(flow.torch_gives, false),
      flow.leak ? "leaks" : "");
}

}  // namespace

std::string influence_maps(const verify::Results& results) {
  const auto* figures = figures_of(results, "mask");
  std::string maps;
  if (figures) {
    for (const auto& map : figures->influence) {
      maps += influence_map(map);
    }
  }
  if (maps.empty()) {
    return "";
  }
  return "<h2>Influence</h2><p class=\"about\">Which positions (downwards) "
         "move when a token (across) is exchanged for another, after each "
         "layer; layers with the same map share one.</p>"
         "<div class=\"legend\"><span><i style=\"background:var(--blue)\"></i>"
         "on both sides</span><span><i style=\"background:var(--fail)\"></i>"
         "only in the port</span><span><i "
         "style=\"background:var(--only-torch)\"></i>only in torch</span></div>"
         "<div class=\"small\">" +
         maps + "</div>";
}

std::string routing_agreement(const verify::Results& results) {
  std::string out;
  if (const auto* figures = figures_of(results, "routing");
      figures && !figures->routing.empty()) {
    out += routing_table(
        *figures,
        "Routing",
        "Tokens that go to the experts torch sends them to, each layer fed "
        "torch's own input.");
  }
  if (const auto* figures = figures_of(results, "bfloat16");
      figures && !figures->routing.empty()) {
    out += routing_table(
        *figures,
        "Routing in bfloat16",
        "The same in bfloat16. A tie is a token that either side sends "
        "elsewhere in float32, on the same input.");
  }
  return out;
}

std::string dtype_flow(const verify::Results& results) {
  const auto* figures = figures_of(results, "dtype");
  if (!figures || figures->dtypes.empty()) {
    return "";
  }
  std::string rows;
  size_t plain = 0;
  for (const auto& flow : figures->dtypes) {
    if (flow.is_plain()) {
      ++plain;
    } else {
      rows += flow_row(flow);
    }
  }
  if (rows.empty()) {
    return "";
  }
  return "<h2>Dtypes</h2><p class=\"about\">Modules of a bfloat16 model that "
         "take or give another dtype, in the order of the calls; a leak gives "
         "float32 where torch does not. " +
         plain_text(plain) +
         "</p><div class=\"card\"><table "
         "class=\"flow\"><thead><tr><th>module</th>"
         "<th></th><th>takes</th><th>gives</th><th>torch gives</th><th></th>"
         "</tr></thead><tbody>" +
         rows + "</tbody></table></div>";
}

}  // namespace portwright::report
