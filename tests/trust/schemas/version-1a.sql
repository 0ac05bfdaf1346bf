BEGIN TRANSACTION;
CREATE TABLE "banks" (
   "id" TEXT PRIMARY KEY,
   "number" INTEGER,
   "dataset" TEXT,
   "created" TEXT,
   "seconds" REAL,
   "settings" TEXT,
   "summary" TEXT
);
INSERT INTO "banks" VALUES('b1',1,'d','2026-01-01T00:00:00+00:00',1.0,'{"backbone": "efficientnet_lite0"}','{}');
CREATE TABLE "datasets" (
   "name" TEXT PRIMARY KEY,
   "layout" TEXT,
   "title" TEXT,
   "width" INTEGER,
   "height" INTEGER,
   "keep_aspect" INTEGER,
   "created" TEXT,
   "fingerprint" TEXT,
   "report" TEXT
);
INSERT INTO "datasets" VALUES('d','plain','Plain folders',64,64,0,'2026-01-01T00:00:00+00:00','f','{"counts": {"normal": 1}, "masks": {"empty": []}, "sentences": []}');
CREATE TABLE "images" (
   "id" TEXT PRIMARY KEY,
   "dataset" TEXT,
   "path" TEXT,
   "label" TEXT,
   "split" TEXT,
   "defect_type" TEXT,
   "mask" TEXT,
   "group" TEXT,
   "width" INTEGER,
   "height" INTEGER
);
INSERT INTO "images" VALUES('d/good/0.png','d','good/0.png','normal','train','',NULL,'good/0.png',64,48);
CREATE TABLE "settings" (
   "key" TEXT PRIMARY KEY,
   "value" TEXT
);
INSERT INTO "settings" VALUES('backbone','"efficientnet_lite0"');
CREATE INDEX "idx_images_dataset_split_label"
    ON "images" ("dataset", "split", "label");
CREATE UNIQUE INDEX "idx_banks_number"
    ON "banks" ("number");
PRAGMA user_version = 1;
COMMIT;
