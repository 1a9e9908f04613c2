#pragma once

#include <string>
#include <vector>

#include "base/progress.h"
#include "verify/battery.h"

namespace portwright::verify {

enum class Catch { Caught, NotCaught, NoEffect };

std::string_view name(Catch);

/// One bug that was planted into the port under test, and what came of it.
struct PlantedBug {
  std::string name;
  /// Class and function, and the line, that it was planted in.
  std::string scope;
  int line = 0;
  Catch status = Catch::NotCaught;
  /// The first check that noticed, and what it said.
  std::string check;
  std::string reason;
  Place place;
  /// Whether the place lies in the class that was changed, or where that class
  /// is made; nothing when the check names no line.
  std::optional<bool> placed;
  /// How far its logits are from those of the sound port, as a share of the
  /// largest; infinity when there are none.
  double effect = 0;
};

/// Plants every bug of the catalogue, one at a time, into the port that gave
/// `sound`, and runs the checks until one notices. A bug has no effect when no
/// check notices, `stress` among them, and its logits, prefilled and stepped,
/// near and far, stay within the noise, in bfloat16 too.
/// Leaves the session with the sound port. The Error is the world's.
base::Result<std::vector<PlantedBug>> prove_battery(
    Session& session,
    const Results& sound,
    const BatteryOptions& options,
    base::Progress& progress);

}  // namespace portwright::verify
