#include "checkpoint/safetensors.h"

#include <cstring>
#include <limits>

#include "base/paths.h"

namespace portwright::checkpoint {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

// The reference implementation refuses longer headers too.
constexpr uint64_t kLongestHeader = 100'000'000;
constexpr size_t kMostDimensions = 16;

/// Parses a header, refusing names that occur twice (JSON would keep the last).
base::Result<json> parse_header(std::string_view text, const std::string& at) {
  std::set<std::string> seen;
  std::optional<std::string> twice;
  const auto watch = [&](int depth, json::parse_event_t event, json& value) {
    if (event == json::parse_event_t::key && depth == 1) {
      const auto& key = value.get_ref<const std::string&>();
      if (!seen.insert(key).second && !twice) {
        twice = key;
      }
    }
    return true;
  };
  auto header = json::parse(text, watch, /*allow_exceptions=*/false);
  if (header.is_discarded()) {
    return base::fail(at + ": the header is not valid JSON");
  }
  if (!header.is_object()) {
    return base::fail(at + ": the header is not a JSON object");
  }
  if (twice) {
    return base::fail(
        fmt::format("{}: tensor '{}' is listed twice", at, *twice));
  }
  return header;
}

std::optional<uint64_t> unsigned_number(const json& value) {
  if (!value.is_number_unsigned()) {
    return std::nullopt;
  }
  return value.get<uint64_t>();
}

/// Bytes that dtype and shape ask for; nothing when it does not fit 63 bits.
std::optional<uint64_t> byte_size(
    Dtype dtype,
    const std::vector<int64_t>& shape) {
  constexpr auto kMost =
      static_cast<uint64_t>(std::numeric_limits<int64_t>::max()) / 64;
  uint64_t elements = 1;
  for (const int64_t extent : shape) {
    const auto n = static_cast<uint64_t>(extent);
    if (n != 0 && elements > kMost / n) {
      return std::nullopt;
    }
    elements *= n;
  }
  const uint64_t total = elements * bits(dtype);
  if (total % 8 != 0) {
    return std::nullopt;
  }
  return total / 8;
}

base::Result<TensorView> parse_tensor(
    const std::string& name,
    const json& entry,
    std::span<const std::byte> data,
    const std::string& at) {
  const auto fault = [&](const std::string& what) {
    return base::fail(fmt::format("{}: tensor '{}': {}", at, name, what));
  };
  if (!entry.is_object() || !entry.contains("dtype") ||
      !entry.contains("shape") || !entry.contains("data_offsets")) {
    return fault("needs dtype, shape and data_offsets");
  }
  TensorView view;
  const json& dtype = entry["dtype"];
  const auto known = dtype.is_string()
                         ? dtype_from_name(dtype.get_ref<const std::string&>())
                         : std::nullopt;
  if (!known) {
    return fault("unknown dtype " + dtype.dump());
  }
  view.dtype = *known;
  const json& shape = entry["shape"];
  if (!shape.is_array() || shape.size() > kMostDimensions) {
    return fault("the shape is not a list of at most 16 sizes");
  }
  for (const json& extent : shape) {
    const auto n = unsigned_number(extent);
    if (!n || *n > static_cast<uint64_t>(std::numeric_limits<int64_t>::max())) {
      return fault("the shape holds " + extent.dump());
    }
    view.shape.push_back(static_cast<int64_t>(*n));
  }
  const json& offsets = entry["data_offsets"];
  const auto begin = offsets.is_array() && offsets.size() == 2
                         ? unsigned_number(offsets[0])
                         : std::nullopt;
  const auto end = begin ? unsigned_number(offsets[1]) : std::nullopt;
  if (!end || *begin > *end) {
    return fault("data_offsets are not two ascending positions");
  }
  if (*end > data.size()) {
    return fault(fmt::format(
        "data ends at byte {} of {}: the file is truncated",
        *end,
        data.size()));
  }
  const auto size = byte_size(view.dtype, view.shape);
  if (!size || *size != *end - *begin) {
    return fault(fmt::format(
        "{} {} does not fill its {} bytes",
        checkpoint::name(view.dtype),
        shape.dump(),
        *end - *begin));
  }
  view.data = data.subspan(*begin, *end - *begin);
  return view;
}

/// Tensors lie one after another: no byte is shared, skipped or left over.
base::Result<void> check_layout(
    const Tensors& tensors,
    std::span<const std::byte> data,
    const std::string& at) {
  std::vector<std::pair<size_t, const Tensors::value_type*>> order;
  for (const auto& entry : tensors) {
    if (!entry.second.data.empty()) {
      order.emplace_back(entry.second.data.data() - data.data(), &entry);
    }
  }
  std::sort(order.begin(), order.end(), [](const auto& a, const auto& b) {
    return a.first < b.first;
  });
  size_t expected = 0;
  for (const auto& [begin, entry] : order) {
    if (begin != expected) {
      return base::fail(fmt::format(
          "{}: tensor '{}' {} (it begins at byte {}, expected {})",
          at,
          entry->first,
          begin < expected ? "overlaps another" : "leaves a hole before it",
          begin,
          expected));
    }
    expected = begin + entry->second.data.size();
  }
  if (expected != data.size()) {
    return base::fail(fmt::format(
        "{}: {} bytes after the last tensor", at, data.size() - expected));
  }
  return {};
}

}  // namespace

std::string_view name(Dtype dtype) {
  switch (dtype) {
#define X(id, text, bits) \
  case Dtype::id:         \
    return text;
    PW_SAFETENSORS_DTYPES(X)
#undef X
  }
  return "?";
}

size_t bits(Dtype dtype) {
  switch (dtype) {
#define X(id, text, bits) \
  case Dtype::id:         \
    return bits;
    PW_SAFETENSORS_DTYPES(X)
#undef X
  }
  return 0;
}

std::optional<Dtype> dtype_from_name(std::string_view name) {
#define X(id, text, bits) \
  if (name == text) {     \
    return Dtype::id;     \
  }
  PW_SAFETENSORS_DTYPES(X)
#undef X
  return std::nullopt;
}

int64_t TensorView::size() const {
  int64_t out = 1;
  for (const int64_t n : shape) {
    out *= n;
  }
  return out;
}

base::Result<Parsed> parse_safetensors(
    std::span<const std::byte> bytes,
    const std::string& source) {
  if (bytes.size() < 8) {
    return base::fail(fmt::format(
        "{}: {} bytes are too few for a safetensors file",
        source,
        bytes.size()));
  }
  uint64_t length = 0;
  for (int i = 7; i >= 0; --i) {
    length = length << 8 | static_cast<uint64_t>(bytes[i]);
  }
  if (length > kLongestHeader) {
    return base::fail(fmt::format(
        "{}: a header of {} bytes is not plausible", source, length));
  }
  if (length > bytes.size() - 8) {
    return base::fail(fmt::format(
        "{}: the header needs {} bytes, the file has {}: it is truncated",
        source,
        length,
        bytes.size() - 8));
  }
  const std::string_view text(
      reinterpret_cast<const char*>(bytes.data()) + 8, length);
  auto header = parse_header(text, source);
  if (!header) {
    return tl::unexpected(header.error());
  }
  Parsed out;
  const auto data = bytes.subspan(8 + length);
  for (const auto& [key, entry] : header->items()) {
    if (key == "__metadata__") {
      for (const auto& [name, value] : entry.items()) {
        if (value.is_string()) {
          out.metadata[name] = value.get<std::string>();
        }
      }
      continue;
    }
    auto view = parse_tensor(key, entry, data, source);
    if (!view) {
      return tl::unexpected(view.error());
    }
    out.tensors.emplace(key, std::move(*view));
  }
  if (auto layout = check_layout(out.tensors, data, source); !layout) {
    return tl::unexpected(layout.error());
  }
  return out;
}

base::Result<SafetensorsFile> SafetensorsFile::open(const fs::path& path) {
  auto file = MappedFile::open(path);
  if (!file) {
    return tl::unexpected(file.error());
  }
  SafetensorsFile out(std::move(*file));
  auto parsed = parse_safetensors(out.file_.bytes(), path.string());
  if (!parsed) {
    return tl::unexpected(parsed.error());
  }
  out.tensors_ = std::move(parsed->tensors);
  out.metadata_ = std::move(parsed->metadata);
  return out;
}

const TensorView* SafetensorsFile::find(const std::string& name) const {
  const auto it = tensors_.find(name);
  return it == tensors_.end() ? nullptr : &it->second;
}

base::Result<void> write_safetensors(
    const fs::path& path,
    const Tensors& tensors,
    const Metadata& metadata) {
  json header = json::object();
  if (!metadata.empty()) {
    header["__metadata__"] = metadata;
  }
  size_t offset = 0;
  for (const auto& [key, view] : tensors) {
    const auto size = byte_size(view.dtype, view.shape);
    if (!size || *size != view.data.size()) {
      return base::fail(fmt::format(
          "{}: tensor '{}' has {} bytes of data, not what its shape says",
          path.string(),
          key,
          view.data.size()));
    }
    header[key] = {
        {"dtype", name(view.dtype)},
        {"shape", view.shape},
        {"data_offsets", {offset, offset + view.data.size()}}};
    offset += view.data.size();
  }
  std::string text = header.dump();
  text.resize((text.size() + 7) / 8 * 8, ' ');  // data begins 8-byte aligned
  std::string prefix(8, '\0');
  for (int i = 0; i < 8; ++i) {
    prefix[i] = static_cast<char>(text.size() >> (8 * i) & 0xff);
  }
  auto file = base::AtomicFile::create(path);
  if (!file) {
    return tl::unexpected(file.error());
  }
  auto wrote = file->write(prefix + text);
  for (auto it = tensors.begin(); wrote && it != tensors.end(); ++it) {
    wrote = file->write(it->second.data);
  }
  return wrote ? file->commit() : wrote;
}

}  // namespace portwright::checkpoint
