BEGIN TRANSACTION;
CREATE TABLE "bank_changes" (
   "id" INTEGER PRIMARY KEY,
   "bank" TEXT,
   "image" TEXT,
   "bank_side" TEXT,
   "action" TEXT,
   "rows" BLOB,
   "detail" TEXT,
   "decision" INTEGER,
   "created" TEXT,
   "digest" TEXT,
   "since" INTEGER,
   "before" INTEGER,
   "built" INTEGER,
   "content" TEXT,
   "rows_of" INTEGER
);
INSERT INTO "bank_changes" VALUES(1,'b1','c1','positive','add',X'00000000','{"image": {"id": "c1", "group": "g"}, "dimension": 1, "position": [[0, 0]], "kept": [0]}',1,'2026-01-01T00:00:00+00:00',NULL,NULL,NULL,NULL,NULL,NULL);
CREATE TABLE "bank_states" (
   "id" INTEGER PRIMARY KEY,
   "bank" TEXT,
   "content" TEXT,
   "state" BLOB
);
CREATE TABLE "banks" (
   "id" TEXT PRIMARY KEY,
   "number" INTEGER,
   "dataset" TEXT,
   "created" TEXT,
   "seconds" REAL,
   "settings" TEXT,
   "summary" TEXT,
   "who" TEXT,
   "files" TEXT
);
INSERT INTO "banks" VALUES('b1',1,'d','2026-01-01T00:00:00+00:00',1.0,'{"backbone": "efficientnet_lite0"}','{}',NULL,NULL);
CREATE TABLE "candidates" (
   "id" TEXT PRIMARY KEY,
   "dataset" TEXT,
   "source" TEXT,
   "engine" TEXT,
   "engine_version" TEXT,
   "prompt_id" TEXT,
   "template" TEXT,
   "prompt" TEXT,
   "negative_prompt" TEXT,
   "settings" TEXT,
   "seed" INTEGER,
   "mask" TEXT,
   "notes" TEXT,
   "defect_type" TEXT,
   "parent" TEXT,
   "job" TEXT,
   "number" INTEGER,
   "seconds" REAL,
   "created" TEXT,
   "status" TEXT,
   "quality" TEXT,
   "mask_source" TEXT
);
INSERT INTO "candidates" VALUES('c1','d','d/good/0.png','procedural','1','','','','','{}',1,'{"source": "generated"}','{}','','',NULL,NULL,0.1,'2026-01-01T00:00:00+00:00','accepted','{}',NULL);
CREATE TABLE "claims" (
   "candidate" TEXT PRIMARY KEY,
   "who" TEXT,
   "until" TEXT
);
CREATE TABLE "dataset_changes" (
   "id" INTEGER PRIMARY KEY,
   "dataset" TEXT,
   "state" INTEGER,
   "action" TEXT,
   "detail" TEXT,
   "who" TEXT,
   "created" TEXT
);
CREATE TABLE "datasets" (
   "name" TEXT PRIMARY KEY,
   "layout" TEXT,
   "title" TEXT,
   "width" INTEGER,
   "height" INTEGER,
   "keep_aspect" INTEGER,
   "created" TEXT,
   "fingerprint" TEXT,
   "report" TEXT,
   "depth" TEXT,
   "mask_rule" TEXT,
   "state" INTEGER,
   "called" TEXT,
   "roi" TEXT
);
INSERT INTO "datasets" VALUES('d','plain','Plain folders',64,64,0,'2026-01-01T00:00:00+00:00','f','{"counts": {"normal": 1}, "masks": {"empty": []}, "sentences": []}',NULL,NULL,NULL,NULL,NULL);
CREATE TABLE "decisions" (
   "id" INTEGER PRIMARY KEY,
   "candidate" TEXT,
   "action" TEXT,
   "reason" TEXT,
   "who" TEXT,
   "created" TEXT,
   "detail" TEXT,
   "dataset" TEXT,
   "undone" INTEGER
);
INSERT INTO "decisions" VALUES(1,'c1','accept','[]','Ada','2026-01-01T00:00:00+00:00','{"dataset": "d"}',NULL,NULL);
CREATE TABLE "files" (
   "id" TEXT PRIMARY KEY,
   "dataset" TEXT,
   "digest" TEXT
);
CREATE TABLE "histories" (
   "dataset" TEXT PRIMARY KEY,
   "length" INTEGER
);
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
   "height" INTEGER,
   "retired" TEXT,
   "originals" TEXT,
   "place" TEXT
);
INSERT INTO "images" VALUES('d/good/0.png','d','good/0.png','normal','train','',NULL,'good/0.png',64,48,NULL,NULL,NULL);
CREATE TABLE "jobs" (
   "id" TEXT PRIMARY KEY,
   "kind" TEXT,
   "title" TEXT,
   "spec" TEXT,
   "state" TEXT,
   "position" REAL,
   "stage" TEXT,
   "done" INTEGER,
   "total" INTEGER,
   "seconds_left" REAL,
   "result" TEXT,
   "error" TEXT,
   "pid" INTEGER,
   "cancel" INTEGER,
   "created" TEXT,
   "started" TEXT,
   "ended" TEXT
, "turn" INTEGER, "who" TEXT, "lost" INTEGER, "retries" INTEGER);
CREATE TABLE "measures" (
   "candidate" TEXT PRIMARY KEY,
   "visible" REAL,
   "clean" REAL,
   "plausible" REAL,
   "new" REAL,
   "effect" REAL,
   "visible_light" TEXT,
   "clean_light" TEXT,
   "plausible_light" TEXT,
   "new_light" TEXT,
   "effect_light" TEXT,
   "state" TEXT,
   "effect_state" TEXT
);
CREATE TABLE "people" (
   "name" TEXT PRIMARY KEY,
   "role" TEXT,
   "password" TEXT,
   "created" TEXT
, "subject" TEXT);
CREATE TABLE "prompts" (
   "id" TEXT PRIMARY KEY,
   "name" TEXT,
   "prompt" TEXT,
   "negative_prompt" TEXT,
   "tags" TEXT,
   "engine" TEXT,
   "settings" TEXT,
   "created" TEXT,
   "changed" TEXT
);
CREATE TABLE "runs" (
   "id" TEXT PRIMARY KEY,
   "kind" TEXT,
   "title" TEXT,
   "spec" TEXT,
   "result" TEXT,
   "bank" TEXT,
   "created" TEXT,
   "seconds" REAL
, "digest" TEXT);
CREATE TABLE "sessions" (
   "token" TEXT PRIMARY KEY,
   "person" TEXT,
   "until" TEXT
);
CREATE TABLE "settings" (
   "key" TEXT PRIMARY KEY,
   "value" TEXT
);
INSERT INTO "settings" VALUES('backbone','"efficientnet_lite0"');
CREATE TABLE "unfitted" (
   "decision" INTEGER PRIMARY KEY,
   "bank" TEXT
);
CREATE INDEX "idx_images_dataset_split_label"
    ON "images" ("dataset", "split", "label");
CREATE INDEX "idx_images_dataset_retired_place"
    ON "images" ("dataset", "retired", "place");
CREATE INDEX "idx_images_dataset_retired_split_place"
    ON "images" ("dataset", "retired", "split", "place");
CREATE INDEX "idx_images_dataset_retired_split_label_defect_type"
    ON "images" ("dataset", "retired", "split", "label", "defect_type");
CREATE INDEX "idx_files_dataset"
    ON "files" ("dataset");
CREATE UNIQUE INDEX "idx_dataset_changes_dataset_state"
    ON "dataset_changes" ("dataset", "state");
CREATE UNIQUE INDEX "idx_banks_number"
    ON "banks" ("number");
CREATE INDEX "idx_jobs_state_position"
    ON "jobs" ("state", "position");
CREATE UNIQUE INDEX "idx_prompts_name"
    ON "prompts" ("name");
CREATE INDEX "idx_candidates_dataset_status_created"
    ON "candidates" ("dataset", "status", "created");
CREATE INDEX "idx_candidates_prompt_id"
    ON "candidates" ("prompt_id");
CREATE UNIQUE INDEX "idx_candidates_job_number"
    ON "candidates" ("job", "number");
CREATE INDEX "idx_decisions_candidate"
    ON "decisions" ("candidate");
CREATE INDEX "idx_decisions_undone_action"
    ON "decisions" ("undone", "action");
CREATE INDEX "idx_decisions_dataset_action"
    ON "decisions" ("dataset", "action");
CREATE INDEX "idx_bank_changes_bank"
    ON "bank_changes" ("bank");
CREATE INDEX "idx_bank_changes_bank_image_bank_side"
    ON "bank_changes" ("bank", "image", "bank_side");
CREATE UNIQUE INDEX "idx_bank_states_bank_content"
    ON "bank_states" ("bank", "content");
CREATE INDEX "idx_unfitted_bank"
    ON "unfitted" ("bank");
CREATE INDEX "idx_sessions_person"
    ON "sessions" ("person");
CREATE INDEX "idx_runs_created"
    ON "runs" ("created");
CREATE INDEX decisions_to_undo on decisions (who, id) where undone is null and action not in ('undo', 'align');
CREATE UNIQUE INDEX "idx_people_subject"
    ON "people" ("subject");
CREATE INDEX decisions_to_show on decisions (dataset, id) where action <> 'undo';
CREATE TRIGGER history_grows after insert on decisions
       when new.action <> 'undo' and new.dataset is not null begin
           insert into histories (dataset, length) values (new.dataset, 1)
           on conflict (dataset) do update set length = length + 1;
       end;
CREATE TRIGGER history_shrinks after delete on decisions
       when old.action <> 'undo' and old.dataset is not null begin
           update histories set length = length - 1 where dataset = old.dataset;
       end;
PRAGMA user_version = 12;
COMMIT;
