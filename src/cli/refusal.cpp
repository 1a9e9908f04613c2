#include "cli/refusal.h"

namespace portwright::cli {

ExitCode refuse(Console& console, const diagnostics::Diagnostic& diagnostic) {
  console.progress().end();
  console.diagnostic(diagnostic);
  auto hole = nlohmann::ordered_json::parse(
      diagnostics::render_json(diagnostic), nullptr, false);
  console.result({{"schema", 1}, {"holes", {hole}}});
  return diagnostic.kind == diagnostics::Kind::CheckpointError
             ? ExitCode::World
             : ExitCode::Refused;
}

}  // namespace portwright::cli
