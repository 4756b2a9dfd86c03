#include <catch2/catch.hpp>

#include "hwmodels/fabric/cluster.h"
#include "hwmodels/fabric/import/import.h"
#include "hwmodels/fabric/import/xml.h"

using namespace gpuplan;
using namespace gpuplan::fabric;

namespace {

const Catalogue& catalogue() {
  static const Catalogue loaded = Catalogue::load(GPUPLAN_SOURCE_DIR);
  return loaded;
}

Imported example(const std::string& file) {
  const std::string path = GPUPLAN_SOURCE_DIR "/tests/fuzz/corpus/topology/" + file;
  return import_topology(json::read_file(path), file, catalogue());
}
std::string problems_of(const std::string& text) {
  try {
    import_topology(text, "f", catalogue());
  } catch (const InputError& error) {
    return error.what();
  }
  return "";
}

DeviceId at(const Topology& t, DeviceKind kind, int index) {
  return t.of_node(0, kind).at(static_cast<std::size_t>(index));
}
std::string cell(const Topology& t, DeviceKind a, int i, DeviceKind b, int j) {
  return path_text(t, at(t, a, i), at(t, b, j));
}
constexpr auto kGpu = DeviceKind::gpu, kNic = DeviceKind::nic;

// One GPU with `inside` in it, and another.
std::string two_gpus(const std::string& inside, const std::string& other = "") {
  return "<system version=\"1\">\n<cpu numaid=\"0\">\n"
         "<pci busid=\"a\" class=\"0x030200\" link_speed=\"16.0 GT/s PCIe\" link_width=\"16\">\n"
         "<gpu dev=\"0\" sm=\"80\">\n" +
         inside +
         "\n</gpu></pci>\n"
         "<pci busid=\"b\" class=\"0x030200\" link_speed=\"16.0 GT/s PCIe\" link_width=\"16\">\n"
         "<gpu dev=\"1\" sm=\"80\">\n" +
         other + "\n</gpu></pci></cpu></system>";
}

}  // namespace

TEST_CASE("fabric: NCCL's XML becomes a graph", "[fabric]") {
  const Imported pairs = example("pairs.xml");
  const Topology& t = pairs.topology;
  CHECK(pairs.format == "NCCL topology");
  CHECK(cell(t, kGpu, 0, kGpu, 1) == "NV12");
  CHECK(cell(t, kGpu, 0, kNic, 0) == "PIX");
  CHECK(cell(t, kGpu, 1, kGpu, 2) == "SYS");
  CHECK(cell(t, kGpu, 2, kGpu, 3) == "NODE");
  REQUIRE(pairs.nic_bandwidth.size() == 1);
  CHECK(pairs.nic_bandwidth[0].si() == 25e9);  // 200,000 Mbit/s
  // 16 GT/s x 16 lanes x 128/130 / 8 = 31.508 GB/s, of which the catalogue's 31 arrive; x8 the half.
  const auto pcie = [&](int gpu) {
    for (const LinkId id : t.links_from(at(t, kGpu, gpu))) {
      if (t.links()[id].spec.kind == LinkKind::pcie) {
        return t.links()[id].spec;
      }
    }
    return LinkSpec{};
  };
  CHECK(pcie(2).bandwidth.si() == Approx(31.508e9).epsilon(1e-4));
  CHECK(pcie(2).usable().si() == Approx(31e9));
  CHECK(pcie(3).usable().si() == Approx(15.5e9));
  // NVLink 3: 12 x 25 GB/s x 0.8.
  CHECK(t.bandwidth(t.route(at(t, kGpu, 0), at(t, kGpu, 1))).si() == Approx(240e9));

  const Imported crossbar = example("switch.xml");
  const Topology& s = crossbar.topology;
  CHECK(cell(s, kGpu, 0, kGpu, 1) == "NV18");
  CHECK(s.device(at(s, DeviceKind::nvswitch, 0)).chips == 2);
  CHECK(s.bandwidth(s.route(at(s, kGpu, 0), at(s, DeviceKind::socket, 0))).si() ==
        Approx(447.12e9 * 0.8));  // C2C
  CHECK(crossbar.nic_bandwidth[0].si() == 3.125e9);
}

TEST_CASE("fabric: examples survive being exported and imported", "[fabric]") {
  for (const char* file : {"pairs.xml", "switch.xml", "pairs.txt", "switch.txt"}) {
    INFO(file);
    const Imported once = example(file);
    const Imported again = import_nccl_xml(export_nccl_xml(once.topology, 0), "again", catalogue());
    CHECK(again.topology.gpus().size() == once.topology.gpus().size());
    for (std::size_t i = 1; i < once.topology.gpus().size(); ++i) {
      CHECK(path_text(again.topology, again.topology.gpus()[0], again.topology.gpus()[i]) ==
            path_text(once.topology, once.topology.gpus()[0], once.topology.gpus()[i]));
    }
  }
}

TEST_CASE("fabric: mistakes in NCCL's XML are named with their line", "[fabric]") {
  const std::string good = "<nvlink target=\"b\" count=\"12\" tclass=\"0x030200\"/>",
                    back = "<nvlink target=\"a\" count=\"12\" tclass=\"0x030200\"/>";
  CHECK(problems_of(two_gpus(good, back)).empty());
  CHECK(problems_of(two_gpus(good)) ==
        "f:5: found 12 links to b, which has 0 back; expected as many links in both directions");
  CHECK(problems_of(two_gpus("<nvlink target=\"b\" count=\"6\" tclass=\"0x030200\"/>", back)) ==
        "f:5: found 6 links to b, which has 12 back; expected as many links in both directions\n"
        "f:9: found 12 links to a, which has 6 back; expected as many links in both directions");
  CHECK(problems_of(two_gpus("<nvlink target=\"c\" count=\"6\" tclass=\"0x030200\"/>")) ==
        "f:5: found target c; expected the busid of a GPU of this file");
  CHECK_THAT(problems_of(two_gpus("<nvlink target=\"b\" count=\"6\" tclass=\"0x010000\"/>")),
             Catch::StartsWith("f:5: found tclass=\"0x010000\", a type of link that is not known; expected"));
  CHECK_THAT(problems_of(two_gpus("<nvlink target=\"b\" count=\"0\" tclass=\"0x030200\"/>")),
             Catch::StartsWith("f:5: found count=\"0\"; expected a whole number above 0"));
  CHECK_THAT(problems_of(two_gpus("<nvlnk/>")),
             Catch::StartsWith("f:5: found <nvlnk>; expected <nvlink>, <xgmi>, <c2c>; did you mean nvlink"));

  const auto changed = [&](const std::string& from, const std::string& to) {
    std::string text = two_gpus(good, back);
    text.replace(text.find(from), from.size(), to);
    return problems_of(text);
  };
  CHECK_THAT(changed("link_width=\"16\"", "link_width=\"0\""),
             Catch::StartsWith("f:3: found link_width=\"0\"; expected a whole number above 0"));
  CHECK(changed("16.0 GT/s PCIe", "Unknown") ==
        "f:3: found link_speed=\"Unknown\"; expected a PCIe speed: 2.5, 5.0, 8.0, 16.0, 32.0 or 64.0 GT/s");
  CHECK(changed("busid=\"b\"", "busid=\"a\"")
            .find("f:7: found busid a again; expected each once; it stands in line 3") == 0);
  CHECK(changed("dev=\"1\"", "dev=\"0\"") ==
        "f:8: found GPU 0 again; expected each once; it stands in line 4");
  CHECK_THAT(changed("sm=\"80\"", "sm=\"35\""),
             Catch::StartsWith("f:4: found sm=\"35\"; expected a compute capability"));
  CHECK_THAT(changed("<cpu", "<cup"), Catch::StartsWith("f:10: found </cpu>; expected </cup> of line 2"));
  CHECK_THAT(problems_of("<system><net/></system>"), Catch::Contains("f:1: found <net>; expected <cpu>"));
  CHECK(problems_of("<system>\n</system>") == "f:1: found no <gpu>; expected at least one");
  CHECK_THAT(problems_of("<nodes/>"), Catch::StartsWith("f:1: found <nodes>; expected <system>"));
}

TEST_CASE("fabric: XML is read strictly", "[fabric]") {
  const XmlElement root =
      parse_xml("<?xml?>\n<!-- c -->\n<a b='1' c=\"&lt;&amp;&apos;\">\n <d/>\n</a>\n", "x");
  CHECK(root.line == 3);
  CHECK(*root.attribute("c") == "<&'");
  CHECK(xml_escaped("<&'") == "&lt;&amp;&apos;");
  REQUIRE(root.children.size() == 1);
  CHECK(root.children[0].line == 4);
  CHECK(root.attribute("e") == nullptr);
  std::string deep, close;
  for (int i = 0; i < 65; ++i) {
    deep += "<a>";
  }
  for (const std::string& wrong :
       {std::string(""), std::string("<"), std::string("<a"), std::string("<a>"), std::string("<a></b>"),
        std::string("<a b>"), std::string("<a b=1/>"), std::string("<a b='1' b='2'/>"),
        std::string("<a>text</a>"), std::string("<a/><b/>"), std::string("<!-- "),
        std::string("<a b='&x;'/>"), std::string("<a b='<'/>"), std::string("<a b='"),
        std::string("<!DOCTYPE a><a/>"), deep}) {
    INFO(wrong);
    CHECK_THROWS_AS(parse_xml(wrong, "x"), InputError);
  }
}

TEST_CASE("fabric: the matrix of nvidia-smi becomes a graph that shows the same", "[fabric]") {
  const Imported pairs = example("pairs.txt");
  const Topology& t = pairs.topology;
  CHECK(pairs.format == "nvidia-smi topo -m");
  CHECK(cell(t, kGpu, 0, kGpu, 1) == "NV12");
  CHECK(t.of_node(0, DeviceKind::nvswitch).empty());  // a bridge
  CHECK(cell(t, kGpu, 0, kNic, 0) == "PIX");
  CHECK(cell(t, kGpu, 2, kNic, 1) == "PXB");
  CHECK(cell(t, kGpu, 3, kNic, 1) == "PHB");
  CHECK(cell(t, kGpu, 0, kGpu, 2) == "SYS");
  REQUIRE(pairs.notes.size() == 1);  // only that bandwidths are assumed
  CHECK(pairs.notes[0].find("NVLink-3 (25 GB/s a link)") != std::string::npos);

  const Imported crossbar = example("switch.txt");  // 2 x 18 links: more than a GPU has
  CHECK(cell(crossbar.topology, kGpu, 0, kGpu, 2) == "NV18");
  CHECK(crossbar.topology.of_node(0, DeviceKind::nvswitch).size() == 1);
  CHECK(cell(crossbar.topology, kGpu, 0, kNic, 0) == "NODE");
  CHECK(crossbar.notes.size() == 1);
}

TEST_CASE("fabric: a matrix that no tree has is noted, not hidden", "[fabric]") {
  // NIC0 is one switch away from both GPUs, which then cannot be a socket apart.
  const Imported odd = import_topology(
      "\tGPU0\tGPU1\tNIC0\nGPU0\tX\tSYS\tPIX\nGPU1\tSYS\tX\tPIX\nNIC0\tPIX\tPIX\tX\n", "f", catalogue());
  REQUIRE(odd.notes.size() == 2);
  CHECK(odd.notes[1] == "GPU0 and GPU1: SYS in the file, PIX in the graph");
}

TEST_CASE("fabric: mistakes in a matrix are named with their line", "[fabric]") {
  CHECK(problems_of("\tGPU0\tGPU1\nGPU0\tX\tNV12\nGPU1\tNV12\tX\n").empty());
  CHECK(
      problems_of("\tGPU0\tGPU1\nGPU0\tX\tNV12\nGPU1\tSYS\tX\n") ==
      "f:3: found SYS for GPU1 and GPU0, but NV12 the other way round (line 2); expected a symmetric matrix");
  CHECK(problems_of("\tGPU0\tGPU1\nGPU0\tX\tPIXX\nGPU1\tPIXX\tX\n")
            .find("f:2: found \"PIXX\", a type of link that is not known; expected X, NV#, PIX, PXB, PHB, "
                  "NODE or SYS; did you mean PIX") == 0);
  CHECK_THAT(problems_of("\tGPU0\tGPU1\nGPU0\tX\tNV0\nGPU1\tNV0\tX\n"),
             Catch::StartsWith("f:2: found \"NV0\""));
  CHECK(problems_of("\tGPU0\tGPU1\nGPU0\tX\nGPU1\tSYS\tX\n") ==
        "f:2: found 1 cells; expected a cell for each of 2 names");
  CHECK(problems_of("\tGPU0\tGPU1\nGPU0\tX\tSYS\n") ==
        "f:2: found 1 rows; expected a row for each of 2 names");
  CHECK(problems_of("\tGPU0\tGPU1\nGPU1\tX\tSYS\nGPU0\tSYS\tX\n")
            .find("f:2: found GPU1; expected the row of GPU0") == 0);
  CHECK_THAT(problems_of("\tGPU0\tGPU1\nGPU0\tSYS\tSYS\nGPU1\tSYS\tX\n"),
             Catch::StartsWith("f:2: found SYS for GPU0 and GPU0; expected X where"));
  CHECK_THAT(problems_of("\tGPU0\tNIC0\nGPU0\tX\tNV4\nNIC0\tNV4\tX\n"),
             Catch::Contains("expected NVLink between GPUs only"));
  CHECK_THAT(problems_of("\tGPU0\tGPU0\nGPU0\tX\tSYS\nGPU0\tSYS\tX\n"),
             Catch::StartsWith("f:1: found GPU0 again"));
  CHECK(problems_of("hello\n") ==
        "f:1: found no line of names; expected the output of nvidia-smi topo -m, a line with GPU0 first");
}

TEST_CASE("fabric: what is exported is imported again", "[fabric]") {
  for (const std::string& name : catalogue().node_names()) {
    INFO(name);
    ClusterSpec spec;
    spec.node = name;
    const Topology t = build_cluster(resolve_cluster(spec, catalogue(), "$"), catalogue(), "$");
    const std::string matrix = export_topo_matrix(t, 0);
    const Imported xml = import_nccl_xml(export_nccl_xml(t, 0), "xml", catalogue());
    if (catalogue().node(name)->tray_count == 1) {
      // Trays cannot be told from sockets in XML, and have pairs without a way in the matrix.
      CHECK(export_topo_matrix(xml.topology, 0) == matrix);
      const Imported text = import_topo_matrix(matrix, "matrix", catalogue());
      CHECK(export_topo_matrix(text.topology, 0) == matrix);
      CHECK(text.notes.size() == 1);
      const auto gpus = t.gpus(), again = xml.topology.gpus();
      REQUIRE(gpus.size() == again.size());
      for (std::size_t i = 1; i < gpus.size(); ++i) {
        // link_speed is the rate on the wire, of which the catalogue's rate is rounded.
        CHECK(xml.topology.bandwidth(xml.topology.route(again[0], again[i])).si() ==
              Approx(t.bandwidth(t.route(gpus[0], gpus[i])).si()).epsilon(0.002));
      }
    } else {
      CHECK(xml.topology.gpus().size() == t.gpus().size());
      CHECK(xml.topology.nvlinks(xml.topology.gpus()[0], xml.topology.gpus()[71]) == 18);
    }
  }
}
