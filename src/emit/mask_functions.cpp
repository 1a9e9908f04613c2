#include "emit/mask_functions.h"

namespace portwright::emit {

namespace {

// Keys are told by their places before the last query: rows of a batch are
// padded on the left, and a single step has no mask of its own.
constexpr const char* kChunked =
    R"py(def create_chunked_mask(h, cache, chunk_size):
    offset = cache.offset if cache is not None else 0
    mask = create_attention_mask(h, cache, return_array=True)
    length = offset + h.shape[1] if mask is None else mask.shape[-1]
    queries = mx.array(offset).reshape(-1, 1) + mx.arange(h.shape[1])
    keys = queries[:, -1:] + mx.arange(1 - length, 1)
    chunks = queries[:, None, :, None] // chunk_size == keys[:, None, None] // chunk_size
    return chunks if mask is None else mask & chunks


)py";

// (1 or B, S), as `positions` of the new tokens are (1 or B, L).
constexpr const char* kKeyPositions =
    R"py(def positions_of_keys(positions, keys, cache):
    # Past its window a rotating cache writes over the oldest key.
    length = keys.shape[2]
    newest = getattr(cache, "_idx", length) - 1
    return positions[:, -1:] - (newest - mx.arange(length)) % length


)py";

}  // namespace

std::string write_mask_functions(Context& context) {
  return std::string(context.chunked_masks ? kChunked : "") +
         (context.key_positions ? kKeyPositions : "");
}

}  // namespace portwright::emit
