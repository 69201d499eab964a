/** The text of `.env.example`, made of the configuration sections so that it can't drift from them. */
import { SECTIONS } from './sources.ts';

/** Every variable commented out, under its section, with what it is for. */
export function envExample(): string {
  const sections = SECTIONS.map(({ title, section }) => {
    const variables = Object.entries(section.variables).map(
      ([name, { description, example }]) => `# ${description}\n# ${name}=${example ?? ''}`,
    );
    return `## ${title}\n\n${variables.join('\n\n')}\n`;
  });
  return `# Copy to .env and fill in what you use. A source whose variables are all unset is left out.\n\n${sections.join('\n')}`;
}
