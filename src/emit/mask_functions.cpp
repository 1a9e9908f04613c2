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

}  // namespace

std::string write_mask_functions(Context& context) {
  return context.chunked_masks ? kChunked : "";
}

}  // namespace portwright::emit
