#include "emit/shared_keys.h"

#include <algorithm>
#include <map>
#include <optional>

#include "emit/layer_caches.h"
#include "emit/model_writer.h"

namespace portwright::emit {

namespace {

using Pair = std::pair<ValueId, ValueId>;

/// What the updates of the cache inside answer.
void add_pairs(const Frame& frame, std::vector<Pair>& out) {
  for (const auto& item : frame.items) {
    const auto* child = std::get_if<std::unique_ptr<Frame>>(&item);
    if (!child) {
      continue;
    }
    if (lift::is_cache_update(**child) && (*child)->outputs.size() >= 2) {
      out.emplace_back((*child)->outputs[0], (*child)->outputs[1]);
    } else {
      add_pairs(**child, out);
    }
  }
}

bool reads(const Frame& frame, const Pair& pair) {
  return std::any_of(
      frame.items.begin(), frame.items.end(), [&](const auto& item) {
        if (const auto* op = std::get_if<OpNode>(&item)) {
          return std::any_of(
              op->inputs.begin(), op->inputs.end(), [&](ValueId id) {
                return id == pair.first || id == pair.second;
              });
        }
        const auto* child = std::get_if<std::unique_ptr<Frame>>(&item);
        return child && reads(**child, pair);
      });
}

/// A submodule of `owner` that the layers in `with` have, and no other.
std::string telling_member(
    const Context& context,
    const std::string& owner,
    const std::vector<const Frame*>& with,
    const std::vector<const Frame*>& without) {
  const auto has = [&](const std::string& name) {
    return [&context, path = "." + owner + "." + name](const Frame* layer) {
      return context.module(layer->path + path).defined();
    };
  };
  const std::string prefix = with.front()->path + "." + owner + ".";
  for (const auto& [path, module] : context.trace.modules) {
    if (!path.starts_with(prefix)) {
      continue;
    }
    const std::string name = path.substr(prefix.size());
    if (name.find('.') == std::string::npos &&
        std::all_of(with.begin(), with.end(), has(name)) &&
        std::none_of(without.begin(), without.end(), has(name))) {
      return name;
    }
  }
  return "";
}

class KeyFinder {
 public:
  KeyFinder(Context& context, const std::vector<const Frame*>& layers)
      : context_(context), layers_(layers) {}

  /// False when no layer attends to the keys of another.
  bool find(SharedKeys& out) {
    for (const Frame* layer : layers_) {
      std::vector<Pair> own;
      add_pairs(*layer, own);
      if (own.empty()) {
        add_reader(*layer, out);
        continue;
      }
      kept_[named_kind(context_, *layer)] = own.front();
      several_ = several_ || own.size() > 1;
      keepers_.push_back(layer);
      out.pairs.push_back(own.front());
    }
    if (readers_.empty()) {
      return false;
    }
    if (several_) {
      context_.hole(
          readers_.front()->call,
          "'" + readers_.front()->path +
              "' shares keys with layers that have several caches");
    }
    return true;
  }

  const std::vector<const Frame*>& keepers() const {
    return keepers_;
  }
  const std::vector<const Frame*>& readers() const {
    return readers_;
  }

 private:
  void add_reader(const Frame& layer, const SharedKeys& known) {
    std::vector<Pair> read;
    for (const Pair& pair : known.pairs) {
      if (reads(layer, pair)) {
        read.push_back(pair);
      }
    }
    if (read.empty()) {
      return;
    }
    const auto last = kept_.find(named_kind(context_, layer));
    if (read.size() != 1 || last == kept_.end() || last->second != read[0]) {
      context_.hole(
          layer.call,
          "'" + layer.path +
              "' attends to the keys of another layer than the last of its "
              "kind");
    }
    readers_.push_back(&layer);
  }

  Context& context_;
  const std::vector<const Frame*>& layers_;
  std::map<std::string, Pair> kept_;  // the last, by kind of layer
  std::vector<const Frame*> keepers_, readers_;
  bool several_ = false;
};

}  // namespace

bool SharedKeys::holds(ValueId id) const {
  return std::any_of(pairs.begin(), pairs.end(), [&](const auto& pair) {
    return pair.first == id || pair.second == id;
  });
}

std::string SharedKeys::test() const {
  return "hasattr(" + access_text("layer", owner) + ", \"" + member + "\")";
}

SharedKeys find_shared_keys(
    Context& context,
    const std::vector<const Frame*>& layers,
    const SharedKeys& like) {
  SharedKeys out;
  KeyFinder finder(context, layers);
  if (!finder.find(out)) {
    out.takers = like.takers;
    out.owner = like.owner;
    out.member = like.member;
    return out;
  }
  const Frame& reader = *finder.readers().front();
  out.takers.insert("");
  for_each_module(reader, [&](const Frame& f) {
    if (std::any_of(out.pairs.begin(), out.pairs.end(), [&](const Pair& pair) {
          return reads(f, pair);
        })) {
      out.owner = below(reader, f);  // the innermost comes last
      out.takers.insert(out.owner);
    }
  });
  out.member =
      telling_member(context, out.owner, finder.keepers(), finder.readers());
  if (out.owner.empty() || out.member.empty()) {
    context.hole(
        reader.call,
        "nothing tells '" + reader.path + "' from layers that keep keys");
  }
  return out;
}

bool hands_keys(const Context& context, const Frame& frame) {
  const std::string list = context.layers_path + ".";
  if (!context.shared_keys.any() || !frame.is_module() || list.size() == 1 ||
      !frame.path.starts_with(list)) {
    return false;
  }
  const size_t dot = frame.path.find('.', list.size());
  return context.shared_keys.takers.contains(
      dot == std::string::npos ? "" : frame.path.substr(dot + 1));
}

bool is_given_keys(const Context& context, const Frame& frame, ValueId id) {
  return context.shared_keys.holds(id) &&
         (hands_keys(context, frame) || !reads(frame, Pair{id, id}));
}

bool attends(const Context& context, const Frame& frame) {
  return lift::uses_cache(frame) || hands_keys(context, frame);
}

Pair foreign_keys(const Context& context, const Frame& frame) {
  if (lift::updates_keys(frame)) {
    return {};
  }
  for (const Pair& pair : context.shared_keys.pairs) {
    if (reads(frame, pair)) {
      return pair;
    }
  }
  return {};
}

}  // namespace portwright::emit
