#include "verify/memory.h"

#include <algorithm>
#include <map>

#include "checkpoint/safetensors.h"

namespace portwright::verify {
namespace {

constexpr double kFloat32 = 4;
/// Both workers with their libraries and what modules pass to each other.
constexpr double kLibraries = 0.6e9;
/// A layer as it is stored, once more while its parts are joined, in float32.
constexpr double kAtATime = 2 + 2 + 4;
/// Torch is held against float64 too, unless the model is large (session.cpp).
constexpr int64_t kSmall = 300'000'000;
constexpr double kFloat64 = 8;

bool is_float(checkpoint::Dtype dtype) {
  using enum checkpoint::Dtype;
  switch (dtype) {
    case F8E5M2:
    case F8E4M3:
    case F16:
    case BF16:
    case F32:
    case F64:
      return true;
    default:
      return false;
  }
}

/// Packed integers stay what they are: as many float32 as they take.
int64_t parameters_of(const checkpoint::TensorView& tensor) {
  return is_float(tensor.dtype) ? tensor.size()
                                : static_cast<int64_t>(tensor.data.size() / 4);
}

/// "model.layers.3.mlp.up_proj.weight": "model.layers.3"; else the whole name.
std::string piece_of(const std::string& name) {
  for (size_t dot = name.find('.'); dot != std::string::npos;) {
    const size_t end = name.find('.', dot + 1);
    const auto part = name.substr(dot + 1, end - dot - 1);
    if (!part.empty() &&
        part.find_first_not_of("0123456789") == std::string::npos) {
      return name.substr(0, end);
    }
    dot = end;
  }
  return name;
}

double disk_for(const Footprint& footprint) {
  const double each =
      kFloat32 + (footprint.parameters < kSmall ? kFloat64 : 0.0);
  return each * static_cast<double>(footprint.parameters);
}

}  // namespace

std::string gigabytes(double bytes) {
  if (bytes < 9.5e7) {
    return fmt::format("{:.0f} MB", bytes / 1e6);
  }
  return bytes < 9.95e9 ? fmt::format("{:.1f} GB", bytes / 1e9)
                        : fmt::format("{:.0f} GB", bytes / 1e9);
}

base::Result<Footprint> footprint_of(const std::filesystem::path& checkpoint) {
  const auto opened = checkpoint::Checkpoint::open(checkpoint);
  if (!opened) {
    return tl::unexpected(opened.error());
  }
  Footprint out;
  std::map<std::string, int64_t> pieces;
  for (const auto& [name, tensor] : opened->tensors()) {
    const auto count = parameters_of(tensor);
    out.parameters += count;
    out.stored_bytes += static_cast<int64_t>(tensor.data.size());
    pieces[piece_of(name)] += count;
  }
  for (const auto& [name, count] : pieces) {
    out.largest = std::max(out.largest, count);
  }
  return out;
}

tl::expected<MemoryPlan, NoRoom>
plan_memory(const Footprint& footprint, const Room& room, Streaming streaming) {
  const auto copy = kFloat32 * static_cast<double>(footprint.parameters);
  MemoryPlan out;
  out.memory = room.memory;
  out.whole = 2 * copy + kLibraries;
  out.at_a_time =
      kAtATime * static_cast<double>(footprint.largest) + kLibraries;
  out.copies = copy > 0 ? std::max(0.0, room.memory - kLibraries) / copy : 1e9;
  const bool fits = room.memory <= 0 || out.whole <= room.memory;
  out.text = fmt::format(
      "both sides in float32 need {}, {} are there",
      gigabytes(out.whole),
      gigabytes(room.memory));
  if (streaming == Streaming::Never && !fits) {
    return tl::unexpected(
        NoRoom{false, out.text + ", and --no-stream forbids to stream", ""});
  }
  if (streaming != Streaming::Always && fits) {
    return out;
  }
  out.streamed = true;
  out.disk = disk_for(footprint);
  if (room.memory > 0 && out.at_a_time > room.memory) {
    return tl::unexpected(NoRoom{
        false,
        fmt::format(
            "{}; streamed, the largest layer alone needs {}",
            out.text,
            gigabytes(out.at_a_time)),
        ""});
  }
  out.text += fmt::format(
      ": weights are streamed, which needs {} of memory at a time and {} of "
      "disk in {} ({} are free)",
      gigabytes(out.at_a_time),
      gigabytes(out.disk),
      room.scratch.string(),
      gigabytes(room.disk));
  if (room.scratch_in_memory) {
    return tl::unexpected(NoRoom{
        true,
        room.scratch.string() +
            " lies in memory: weights streamed there would fill it",
        "name a folder on a disk with --scratch"});
  }
  if (out.disk > room.disk) {
    return tl::unexpected(NoRoom{
        true,
        fmt::format(
            "the disk of {} has not enough room: torch's weights need {} "
            "there, {} are free",
            room.scratch.string(),
            gigabytes(out.disk),
            gigabytes(room.disk)),
        "name a folder on another disk with --scratch"});
  }
  return out;
}

int64_t streaming_timeout(const Footprint& footprint) {
  constexpr double kPasses = 24;
  constexpr double kBytesPerSecond = 1e8;
  constexpr int64_t kAtLeast = 600;
  const double bytes = static_cast<double>(footprint.stored_bytes) +
                       kFloat32 * static_cast<double>(footprint.parameters);
  return kAtLeast + static_cast<int64_t>(kPasses * bytes / kBytesPerSecond);
}

}  // namespace portwright::verify
