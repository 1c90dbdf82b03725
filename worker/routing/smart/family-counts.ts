import type { Evidence } from "./evidence.ts";

/** Written by scripts/smart/evidence.ts: [good, bad] of each family and task. */
export const SHIPPED: Evidence = {
  version: 1,
  data: "2f4b4210d2d5c47c10327eee316891558cefa9c32591eb4b286df98c5395efaf",
  families: {
    "gpt-4-1106": {
      all: [2676, 1271],
      tasks: {
        knowledge: [1707, 889],
        reasoning: [629, 202],
        reading: [238, 125],
        math: [102, 55],
      },
    },
    "mixtral-8x7b": {
      all: [2101, 1846],
      tasks: {
        knowledge: [1434, 1162],
        reasoning: [377, 454],
        reading: [202, 161],
        math: [88, 69],
      },
    },
    "mistral-7b": {
      all: [1190, 1459],
      tasks: {
        reasoning: [212, 206],
        writing: [53, 58],
        knowledge: [727, 585],
        reading: [36, 59],
        math: [133, 223],
        code: [29, 328],
      },
    },
    "gemma-2-9b": {
      all: [1616, 1033],
      tasks: {
        reasoning: [264, 154],
        writing: [68, 43],
        knowledge: [823, 489],
        reading: [74, 21],
        math: [184, 172],
        code: [203, 154],
      },
    },
    "llama-3.1-8b": {
      all: [1648, 1001],
      tasks: {
        reasoning: [251, 167],
        writing: [80, 31],
        knowledge: [792, 520],
        reading: [62, 33],
        math: [233, 123],
        code: [230, 127],
      },
    },
    "qwen2.5-7b": {
      all: [1468, 1181],
      tasks: {
        reasoning: [282, 136],
        writing: [65, 46],
        knowledge: [643, 669],
        reading: [15, 80],
        math: [207, 149],
        code: [256, 101],
      },
    },
    "llama-3.1-nemotron-51b": {
      all: [1832, 817],
      tasks: {
        reasoning: [281, 137],
        writing: [84, 27],
        knowledge: [889, 423],
        reading: [79, 16],
        math: [227, 129],
        code: [272, 85],
      },
    },
    "llama-3.3-nemotron-super-49b": {
      all: [1707, 942],
      tasks: {
        reasoning: [201, 217],
        writing: [46, 65],
        knowledge: [815, 497],
        reading: [76, 19],
        math: [286, 70],
        code: [283, 74],
      },
    },
  },
};
