#include "emit/latents.h"

#include <algorithm>
#include <set>

#include "emit/config_text.h"
#include "emit/sharding/makers.h"
#include "emit/statements.h"

namespace portwright::emit {

namespace ast = syntax;
using ast::ExprKind;
using sharding::own_attribute;
using sharding::spelling;

namespace {

constexpr const char* kFused = "scaled_dot_product_attention";

/// The two halves of mx.concatenate([a, b], axis=-1).
std::vector<std::string> halves(const ast::Expr& e) {
  const ast::Call* call = call_to(e, "mx.concatenate");
  const ast::Expr* axis = call ? sharding::keyword(*call, "axis") : nullptr;
  if (!axis || spelling(*axis) != "-1" || call->args.size() != 1 ||
      call->args[0]->kind != ExprKind::List) {
    return {};
  }
  std::vector<std::string> out;
  for (const ast::Expr* item : ast::as<ast::Sequence>(*call->args[0]).elts) {
    out.push_back(spelling(*item));
  }
  return out.size() == 2 ? out : std::vector<std::string>();
}

/// A fused attention over the keys.
struct Fused {
  size_t line = 0;
  std::string indent, output, queries, mask, scale, sinks;
  std::vector<std::string> parts;  // of queries that are joined there
};

/// What is found of one class, line by line.
class LatentReading {
 public:
  explicit LatentReading(const ClassText& text) : text_(text) {
    for (const std::string& line : text.init) {
      if (const auto made = assignment(line); made && made->indent.empty()) {
        fields_[made->targets.front()] = spelling(*made->value);
      }
    }
  }

  std::optional<Latent> run() {
    for (size_t i = 0; i < text_.call.size(); ++i) {
      if (!step(i)) {
        return {};
      }
    }
    const bool complete = !rotated.empty() && !fused.empty() && cached_ &&
                          has_length_ && only_there();
    return complete ? sizes() : std::nullopt;
  }

  std::string layer, latent, nope, rotated;
  size_t made = 0;        // the line that calls the layer
  std::set<size_t> dead;  // lines that are of no use any more
  std::vector<Fused> fused;
  std::map<std::string, std::vector<std::string>> joined;  // queries, by name

 private:
  /// False where keys or values are read in another way.
  bool step(size_t i) {
    const std::string& line = text_.call[i];
    has_length_ = has_length_ || line.starts_with("B, L, ");
    const auto a = assignment(line);
    if (!a) {
      return true;
    }
    if (layer.empty()) {
      note_update(*a);
      note_joined(*a, i);
      find_layer(*a, i);
      return true;
    }
    if (keys_.empty() && a->indent.empty() && find_parts(*a)) {
      dead.insert(i);
    } else if (rotated.empty() && a->indent.empty() && find_rotated(*a)) {
      dead.insert(i);
    } else if (line.find(kFused) != std::string::npos) {
      return find_fused(*a, i);
    } else {
      note_joined(*a, i);
    }
    return true;
  }

  void note_update(const Assignment& a) {
    if (a.targets.size() == 2 &&
        object_of(*a.value, "update_and_fetch", a.targets)) {
      cached_ = true;
      cache_ = a.targets;
    }
  }

  void note_joined(const Assignment& a, size_t i) {
    if (a.targets.size() == 1 && a.indent.empty()) {
      if (auto parts = halves(*a.value); !parts.empty()) {
        joined[a.targets.front()] = std::move(parts);
        joined_at_[a.targets.front()] = i;
      }
    }
  }

  /// x = self.layer(latent).reshape(B, latent.shape[2], -1, width)
  ///         .transpose(0, 2, 1, 3)
  void find_layer(const Assignment& a, size_t i) {
    const auto* turned = object_of(*a.value, "transpose", {"0", "2", "1", "3"});
    const ast::Expr* call =
        turned ? object_of(*turned, "reshape", {"B", "", "-1", ""}) : nullptr;
    if (!call || call->kind != ExprKind::Call || !a.indent.empty() ||
        a.targets.size() != 1) {
      return;
    }
    const auto& made_by = ast::as<ast::Call>(*call);
    const std::string name = own_attribute(*made_by.func);
    if (name.empty() || made_by.args.size() != 1) {
      return;
    }
    const std::string of = spelling(*made_by.args[0]);
    const auto& sizes = ast::as<ast::Call>(*turned).args;
    if (cache_.empty() || of != cache_[0] ||
        spelling(*sizes[1]) != of + ".shape[2]") {
      return;
    }
    layer = name;
    latent = of;
    both_ = a.targets.front();
    width_ = spelling(*sizes[3]);
    made = i;
    dead.insert(i);
  }

  /// keys, values = mx.split(x, [nope], axis=-1)
  bool find_parts(const Assignment& a) {
    const ast::Call* call = call_to(*a.value, "mx.split");
    const ast::Expr* axis = call ? sharding::keyword(*call, "axis") : nullptr;
    if (!axis || spelling(*axis) != "-1" || a.targets.size() != 2 ||
        call->args.size() != 2 || spelling(*call->args[0]) != both_ ||
        call->args[1]->kind != ExprKind::List ||
        ast::as<ast::Sequence>(*call->args[1]).elts.size() != 1) {
      return false;
    }
    keys_ = a.targets[0];
    values_ = a.targets[1];
    nope = spelling(*ast::as<ast::Sequence>(*call->args[1]).elts[0]);
    return true;
  }

  /// spread = mx.broadcast_to(r, (r.shape[0], keys.shape[1], ...))
  bool find_rotated(const Assignment& a) {
    const ast::Call* call = call_to(*a.value, "mx.broadcast_to");
    if (!call || call->args.size() != 2 || a.targets.size() != 1) {
      return false;
    }
    const std::string of = spelling(*call->args[0]);
    const std::string sizes = "(" + of + ".shape[0], " + keys_ + ".shape[1], " +
                              of + ".shape[2], " + of + ".shape[3])";
    if (of != cache_[1] || spelling(*call->args[1]) != sizes) {
      return false;
    }
    rotated = of;
    spread_ = a.targets.front();
    return true;
  }

  bool find_fused(const Assignment& a, size_t i) {
    const ast::Call* call = call_to(*a.value, kFused);
    if (!call || call->args.size() != 3 || a.targets.size() != 1 ||
        spread_.empty() ||
        halves(*call->args[1]) != std::vector<std::string>{keys_, spread_} ||
        spelling(*call->args[2]) != values_) {
      return false;
    }
    Fused out{i, a.indent, a.targets.front(), spelling(*call->args[0])};
    out.parts = halves(*call->args[0]);
    if (out.parts.empty() && joined.contains(out.queries)) {
      out.parts = joined.at(out.queries);
      joined_dead_.insert(out.queries);
    }
    for (const auto& k : call->keywords) {
      const std::string text = spelling(*k.value);
      if (!k.arg) {
        return false;
      } else if (k.arg.str() == "mask") {
        out.mask = text;
      } else if (k.arg.str() == "scale") {
        out.scale = text;
      } else if (k.arg.str() == "sinks") {
        out.sinks = text;
      } else if (k.arg.str() != "cache" || text != "cache") {
        return false;
      }
    }
    fused.push_back(std::move(out));
    return is_truth(fused.back().mask);
  }

  /// The mask of the layer, or places that are kept: not something added.
  bool is_truth(const std::string& mask) const {
    return mask == "mask" || mask == "None" ||
           std::any_of(
               text_.call.begin(), text_.call.end(), [&](const auto& line) {
                 return line.starts_with(mask + " = ~") ||
                        line.find(" " + mask + " = ~") != std::string::npos;
               });
  }

  /// Nothing else reads what is not made any more.
  bool only_there() {
    const size_t calls = fused.size();
    if (count_of(text_.call, both_) != 2 ||
        count_of(text_.call, keys_) != 2 + calls ||
        count_of(text_.call, values_) != 1 + calls ||
        count_of(text_.call, spread_) != 1 + calls ||
        count_of(text_.call, "self." + layer) != 1) {
      return false;
    }
    for (const std::string& name : joined_dead_) {
      // Its dtype, for the sinks, is that of each part.
      if (count_of(text_.call, name) ==
          1 + calls + count_of(text_.call, name + ".dtype")) {
        dead.insert(joined_at_.at(name));
      }
    }
    return true;
  }

  std::string resolved(const std::string& text) const {
    const auto it = fields_.find(text);
    return it == fields_.end() ? text : it->second;
  }

  /// nn.Linear(rank, heads * (nope + values), bias=False), in these terms.
  std::optional<Latent> sizes() const {
    const auto it = fields_.find("self." + layer);
    const auto made_by =
        it == fields_.end() ? std::nullopt : assignment("x = " + it->second);
    const ast::Call* call =
        made_by ? call_to(*made_by->value, "nn.Linear") : nullptr;
    const ast::Expr* bias = call ? sharding::keyword(*call, "bias") : nullptr;
    if (!bias || spelling(*bias) != "False" || call->args.size() != 2 ||
        call->args[1]->kind != ExprKind::BinOp ||
        it->second.find("layer_idx") != std::string::npos) {
      return {};
    }
    const auto& whole = ast::as<ast::BinOp>(*call->args[1]);
    if (whole.op != ast::BinaryOperator::Mult ||
        whole.right->kind != ExprKind::BinOp) {
      return {};
    }
    const auto& head = ast::as<ast::BinOp>(*whole.right);
    const std::string keys = resolved(nope);
    if (head.op != ast::BinaryOperator::Add || spelling(*head.left) != keys ||
        resolved(width_) != spelling(head)) {
      return {};
    }
    return Latent{
        layer,
        spelling(*whole.left),
        spelling(*call->args[0]),
        keys,
        spelling(*head.right)};
  }

  const ClassText& text_;
  std::map<std::string, std::string> fields_;  // self.x, as __init__ makes it
  std::vector<std::string> cache_;             // what the cache answers
  bool cached_ = false, has_length_ = false;
  std::string both_, keys_, values_, spread_, width_;
  std::map<std::string, size_t> joined_at_;
  std::set<std::string> joined_dead_;
};

Lines absorbed(const LatentReading& found, const Fused& f, const Lines& all) {
  Lines out;
  const auto add = [&](const std::string& line) {
    out.push_back(f.indent + line);
  };
  std::string query, turned;
  if (f.parts.empty()) {
    query = unused_name(all, "q_nope");
    turned = unused_name(all, "q_pe");
    add(query + ", " + turned + " = mx.split(" + f.queries + ", [" +
        found.nope + "], axis=-1)");
  } else {
    query = f.parts[0];
    turned = f.parts[1];
    if (!is_name(query)) {
      query = unused_name(all, "q_nope");
      add(query + " = " + f.parts[0]);
    }
  }
  const std::string scores = unused_name(all, "scores");
  const std::string masked = scores + " = mx.where(" + f.mask + ", " + scores +
                             ", mx.finfo(" + scores + ".dtype).min)";
  add(scores + " = (" + turned + " * " + f.scale + ") @ " + found.rotated +
      ".swapaxes(-1, -2)");
  if (f.mask == "mask") {
    add("if mask is not None:");
    add("    " + masked);
  } else if (f.mask != "None") {
    add(masked);
  }
  std::string sinks = f.sinks;
  if (const size_t at = sinks.find(f.queries + ".dtype");
      at != std::string::npos && !f.parts.empty()) {
    sinks.replace(at, f.queries.size(), query);
  }
  const std::string options = ", cache=cache, scale=" + f.scale +
                              ", mask=" + scores +
                              (sinks.empty() ? "" : ", sinks=" + sinks) + ")";
  add("if L == 1:");
  add("    " + f.output + " = " + kFused + "(self.embed_q(" + query + "), " +
      found.latent + ", " + found.latent + options);
  add("    " + f.output + " = self.unembed_out(" + f.output + ")");
  add("else:");
  add("    " + f.output + " = " + kFused + "(" + query + ", self.embed_q(" +
      found.latent + ", transpose=False), self.unembed_out(" + found.latent +
      ")" + options);
  return out;
}

}  // namespace

std::optional<Latent> keep_latents(ClassText& text) {
  if (!any_has(text.call, "mx.broadcast_to(") || !any_has(text.call, kFused)) {
    return {};
  }
  LatentReading found(text);
  auto out = found.run();
  if (!out || count_of(text.init, "self.embed_q") ||
      count_of(text.init, "self.unembed_out")) {
    return {};
  }
  Lines call;
  for (size_t i = 0; i < text.call.size(); ++i) {
    const auto fused =
        std::find_if(found.fused.begin(), found.fused.end(), [&](auto& f) {
          return f.line == i;
        });
    if (fused != found.fused.end()) {
      const Lines lines = absorbed(found, *fused, text.call);
      call.insert(call.end(), lines.begin(), lines.end());
    } else if (!found.dead.contains(i)) {
      call.push_back(text.call[i]);
    }
  }
  text.call = std::move(call);
  Lines init;
  const auto makers = sharding::makers_of(text);
  for (const std::string& line : text.init) {
    const auto made = assignment(line);
    const std::string target = made ? made->targets.front() : "";
    if (target == "self." + out->layer) {
      init.push_back(
          "self.embed_q = MultiLinear(" + out->nope + ", " + out->rank + ", " +
          out->heads + ")");
      init.push_back(
          "self.unembed_out = MultiLinear(" + out->rank + ", " + out->values +
          ", " + out->heads + ")");
    } else if (
        !target.starts_with("self.") || count_of(text.call, target) ||
        !sharding::is_scalar(makers, target.substr(5))) {
      init.push_back(line);
    }
  }
  text.init = std::move(init);
  return out;
}

std::string latent_code(const std::vector<Latent>& latents) {
  std::string out;
  const auto of_model = [](const std::string& text) {
    return text.starts_with("args.") ? "self." + text : text;
  };
  for (const Latent& l : latents) {
    const std::string nope = of_model(l.nope);
    const std::string key = "k.replace(\"" + l.layer + "\", \"";
    out += "    for k in [k for k in weights if k.endswith(\"." + l.layer +
           ".weight\")]:\n"
           "        w = weights.pop(k)\n"
           "        w = w.reshape(" +
           of_model(l.heads) +
           ", -1, w.shape[-1])\n"
           "        weights[" +
           key + "embed_q\")] = w[:, :" + nope +
           "].swapaxes(-1, -2)\n"
           "        weights[" +
           key + "unembed_out\")] = w[:, " + nope + ":]\n";
  }
  return out;
}

}  // namespace portwright::emit
