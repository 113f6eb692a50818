/** Tests the images and docker-compose.yml where that can be done: bun run test:images */

const TESTS = "./deploy/images/";

if (process.platform !== "linux") {
  console.error("*** The images are NOT tested here, as that needs Linux ***");
  process.exit(0);
}
const isRoot = process.getuid?.() === 0;
if (!isRoot && Bun.spawnSync(["sudo", "--non-interactive", "true"]).exitCode !== 0) {
  console.error("Cannot test the images as that needs root: run it with sudo");
  process.exit(1);
}
const command = [process.execPath, "test", "--timeout", "300000", TESTS];
const { exitCode } = Bun.spawnSync(isRoot ? command : ["sudo", "--preserve-env", ...command], {
  stdio: ["ignore", "inherit", "inherit"],
});
process.exit(exitCode);
