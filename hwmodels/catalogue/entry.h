// Reading one catalogue file: each value is {"value": ..., "source": TAG} with an optional note and an
// optional standing that replaces the tag's. Internal to the catalogue.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "hwmodels/catalogue/catalogue.h"
#include "hwmodels/json/describe.h"
#include "hwmodels/json/problem.h"
#include "hwmodels/json/value.h"

namespace gpuplan::catalogue {

using SourceTable = std::map<std::string, Source, std::less<>>;  // by tag

// The tags of sources.json. Throws InputError.
SourceTable read_sources(const std::string& data_dir);

// The folder of the catalogue's files below the product's data root.
std::string folder(const std::string& data_dir, std::string_view name);
// The .json files of a folder in the order of their names. Throws InputError where it cannot be listed.
std::vector<std::string> json_files(const std::string& directory);

// Walks the members of one file and collects what is wrong with it.
class Entry {
 public:
  Entry(const json::Value& root, std::string file, const SourceTable& tags, std::vector<Problem>& problems)
      : root_(root), path_(std::move(file) + ": $"), tags_(tags), problems_(problems) {}

  [[nodiscard]] const json::Value& root() const { return root_; }
  [[nodiscard]] const std::string& path() const { return path_; }

  // Plain members: identity, not measured facts.
  std::string text(std::string_view field, json::Presence presence);
  std::vector<std::string> texts(std::string_view field);
  double plain_number(std::string_view field, double fallback);

  // The value inside {"value", "source"}, its source noted under `name`; nullptr where it is malformed
  // (a problem) or null (known to be absent).
  const json::Value* sourced(const json::Value& cell, const std::string& name);
  // A sourced number in `range`; false where there is none.
  bool number(const json::Value& cell, const std::string& name, json::Range range, bool integer, double& out);
  bool text(const json::Value& cell, const std::string& name, std::string& out);
  // Checks that everything in "facts" has a known source.
  void facts(const json::Value& facts);

  void problem(const std::string& name, std::string found, std::string expected, std::string suggestion = "");
  // A field that no entry of this kind has.
  void unknown(const std::string& name, const std::vector<std::string>& known);

  std::map<std::string, Source> take_sources() { return std::move(sources_); }

 private:
  const json::Value& root_;
  std::string path_;
  const SourceTable& tags_;
  std::vector<Problem>& problems_;
  std::map<std::string, Source> sources_;
};

// True for members that any file may carry: "$schema" and "//".
bool is_remark(std::string_view field);

Gpu read_gpu(Entry& entry, json::Value raw);
Node read_node(Entry& entry, json::Value raw);
Fabric read_fabric(Entry& entry, json::Value raw);
// Every price file, oldest point first. Throws InputError.
std::vector<PricePoint> read_prices(const std::string& data_dir);

}  // namespace gpuplan::catalogue
